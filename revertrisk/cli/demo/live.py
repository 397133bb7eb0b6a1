"""``revertrisk demo --live``: scores current edits from Wikimedia, and sends the predictions to the mock EventGate.

It follows https://www.mediawiki.org/wiki/API:Etiquette: the User-Agent has a contact, at most `EDITS_PER_SECOND` edits
are taken and the others dropped, and each model requests one revision at a time.
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
"""With two models, at most two requests at a time."""
_TARGET: Final = "{{globals.target}}"


class LiveError(ValueError):
    """A flag cannot be used; the message names it and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The settings of ``--live``; None for ``wiki_url`` and ``stream_url`` means Wikimedia's own.

    Raises:
        LiveError: a setting cannot be used.

    """

    contact: str
    limit: int | None = None
    wiki_url: str | None = None
    stream_url: str | None = None

    def __post_init__(self) -> None:
        if not is_contact(self.contact):
            raise LiveError(
                "--contact: expected your mail address, or the address of a page about you; "
                "Wikimedia uses it to reach you before it blocks you"
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
        """The User-Agent, in the form of Wikimedia's policy."""
        return user_agent("revertrisk-events-demo", self.contact)

    @property
    def server_environment(self) -> dict[str, str]:
        """The servers' settings: the User-Agent, and ``wiki_url`` if it is set."""
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
    """Write the shipped rules of all models into one file, each with its own target; one dispatcher uses them all."""
    rules: list[dict[str, Any]] = []
    for model in MODELS:
        text = (files("revertrisk.dispatcher") / "rules" / f"{model.name}.yaml").read_text(encoding="utf-8")
        rules += yaml.safe_load(text.replace(_TARGET, targets[model.name]))["rules"]
    path = folder / "live-rules.yaml"
    path.write_text(yaml.safe_dump({"rules": rules}), encoding="utf-8")
    return path


class Sampled:
    """A source that yields a few of the events that a rule takes, and drops all others."""

    def __init__(
        self, inner: EventSource, rules: Sequence[Rule], on_not_for: Callable[[dict[str, Any], str], None]
    ) -> None:
        """``on_not_for`` is called for each yielded event, with the name of each rule that does not take it."""
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
        """Commit the event, and the dropped events before it."""
        await self._inner.commit(position)

    async def close(self) -> None:
        """Close the source."""
        await self._inner.close()
