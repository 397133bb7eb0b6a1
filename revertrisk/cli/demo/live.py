"""``revertrisk demo --live``: edits that are being made now, read from Wikimedia, scored into the mock EventGate.

It is a guest there, and behaves like one (https://www.mediawiki.org/wiki/API:Etiquette): it says who is asking, takes
a few edits a second and lets the others pass, and each model asks for one revision at a time.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from time import monotonic
from typing import Any, Final

import yaml

from revertrisk.cli.demo.programs import MODELS
from revertrisk.dispatcher.app import DispatchSettings
from revertrisk.dispatcher.rule_language.rule import Rule, Taken
from revertrisk.event_platform.streams import PAGE_CHANGE_STREAM
from revertrisk.runtime.addresses import is_base_address
from revertrisk.runtime.headers import is_contact, user_agent
from revertrisk.runtime.proxies import ProxyError, proxy_of
from revertrisk.streams.base import EventSource, Position, SourcedEvent, UnreadableRecord

EDITS_PER_SECOND: Final = 3.0
REQUESTS_PER_MODEL: Final = 1
"""Two models make two at a time at most, to whatever wiki."""
_TARGET: Final = "{{globals.target}}"


class LiveError(ValueError):
    """A flag cannot be used; the text names it and says what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What ``--live`` needs to know.

    ``wiki_url`` and ``stream_url`` stand for Wikimedia's own addresses where they are None. Raises
    :class:`LiveError`.
    """

    contact: str
    limit: int | None = None
    wiki_url: str | None = None
    stream_url: str | None = None

    def __post_init__(self) -> None:
        if not is_contact(self.contact):
            raise LiveError(
                "--contact: expected your mail address, or the address of a page about you; "
                "Wikimedia asks for it, to reach you before it blocks you"
            )
        for flag, url in (("--wiki-url", self.wiki_url), ("--stream-url", self.stream_url)):
            if url is not None and not is_base_address(url):
                raise LiveError(f"{flag}: expected an address such as http://127.0.0.1:8193")
        try:
            proxy_of("https://wikipedia.org")
            proxy_of(self.stream_url or "")
        except ProxyError as exc:
            raise LiveError(str(exc)) from exc

    @property
    def user_agent(self) -> str:
        """Who is asking, as Wikimedia's policy wants it."""
        return user_agent("revertrisk-events-demo", self.contact)

    @property
    def server_environment(self) -> dict[str, str]:
        """The servers' settings: who asks, and where, if not at each wiki's own host."""
        return {"USER_AGENT": self.user_agent} | ({"WIKI_URL": self.wiki_url} if self.wiki_url else {})

    def dispatch_settings(self, folder: Path, targets: Mapping[str, str]) -> DispatchSettings:
        """Return the settings of the one dispatcher that serves all models."""
        return DispatchSettings(
            source=f"eventstreams:{self.stream_url or PAGE_CHANGE_STREAM}",
            rule_file=_write_rules(folder, targets),
            dead_letters=folder / "dead-letters.jsonl",
            concurrency=REQUESTS_PER_MODEL,
            limit=self.limit,
            user_agent=self.user_agent,
        )


def _write_rules(folder: Path, targets: Mapping[str, str]) -> Path:
    """Put the shipped rules of all models into one file, each with its own target: one reader feeds them all."""
    rules: list[dict[str, Any]] = []
    for model in MODELS:
        text = (files("revertrisk.dispatcher") / "rules" / f"{model.name}.yaml").read_text(encoding="utf-8")
        rules += yaml.safe_load(text.replace(_TARGET, targets[model.name]))["rules"]
    path = folder / "live-rules.yaml"
    path.write_text(yaml.safe_dump({"rules": rules}), encoding="utf-8")
    return path


class Sampled:
    """A source that hands on a few of the events that a rule takes, and drops all others."""

    def __init__(
        self, inner: EventSource, rules: Sequence[Rule], on_not_for: Callable[[dict[str, Any], str], None]
    ) -> None:
        """``on_not_for`` hears of each event that is handed on for each rule that will not take it."""
        self._inner = inner
        self._rules = rules
        self._on_not_for = on_not_for

    async def events(self) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
        """Yield at most `EDITS_PER_SECOND` events a second; raises SourceError."""
        due = monotonic()
        async with aclosing(self._inner.events()) as records:
            async for record in records:
                if isinstance(record, UnreadableRecord):
                    yield record
                    continue
                others = [
                    rule.name
                    for rule in self._rules
                    if not isinstance(rule.judge(record.event, record.topic), Taken)
                ]
                if len(others) == len(self._rules) or monotonic() < due:
                    continue
                due = monotonic() + 1 / EDITS_PER_SECOND
                for name in others:
                    self._on_not_for(record.event, name)
                yield record

    async def commit(self, position: Position) -> None:
        """Commit the event, and with it those that were dropped before it."""
        await self._inner.commit(position)

    async def close(self) -> None:
        """Close the source."""
        await self._inner.close()
