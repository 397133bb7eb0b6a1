"""Files to dispatch from and to, in this process."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from revertrisk.dispatcher import DispatchSettings, Outcome, RetrySchedule, Summary, dispatch
from tests.fakes.scripted_http import PRODUCED, Seen

STREAM = "mediawiki.page_change.v1"
AT_ONCE = RetrySchedule(limit=3, delay_s=0.0, factor=1.0)
RULE = """
rules:
  - name: model
    topic: mediawiki.page_change.v1
    match: {wiki_id: /wiki$/}
    concurrency: 5
    retry_on: {status: [502, 503]}
    timeout: 60000
    exec:
      method: post
      uri: '{{globals.target}}/v1/models/model%3Apredict'
      headers: {host: model.namespace.wikimedia.org, content-type: application/json}
      body: {event: '{{globals.message}}'}
"""


def event(number: int, **changes: Any) -> dict[str, Any]:
    meta = {"stream": STREAM, "request_id": f"r-{number}", "uri": f"https://en.wikipedia.org/wiki/P{number}"}
    return {"wiki_id": "enwiki", "page": {"page_id": number}, "meta": meta} | changes


class Workplace:
    """The files of a dispatcher, and a way to run it on them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.outcomes: list[Outcome] = []
        self._noted = asyncio.Event()

    def write(self, events: list[Any], rule: str = RULE) -> None:
        lines = (line if isinstance(line, bytes) else json.dumps(line).encode() for line in events)
        (self._folder / "events.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
        (self._folder / "rule.yaml").write_text(rule)

    def settings(self, target: str, **changes: Any) -> DispatchSettings:
        given: dict[str, Any] = {
            "source": f"jsonl:{self._folder / 'events.jsonl'}",
            "rule_file": self._folder / "rule.yaml",
            "target": target,
            "dead_letters": self._folder / "dead.jsonl",
            "retries": AT_ONCE,
            "user_agent": "test-agent/1 (https://example.org/)",
        }
        return DispatchSettings(**given | changes)

    async def run(
        self,
        target: str,
        events: list[Any],
        *,
        rule: str = RULE,
        stop: asyncio.Event | None = None,
        **changes: Any,
    ) -> Summary:
        self.write(events, rule)
        self.outcomes.clear()
        summary = await dispatch(self.settings(target, **changes), self.note, stop)
        assert Counter(outcome.label for outcome in self.outcomes) == summary.outcomes
        assert summary.outcomes.total() + summary.interrupted == summary.owed
        return summary

    def note(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._noted.set()

    async def settled(self, count: int) -> None:
        """Wait until so many outcomes are known."""
        while len(self.outcomes) < count:
            self._noted.clear()
            await self._noted.wait()

    def dead_letters(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self._folder / "dead.jsonl").read_text().splitlines()]


def one_after_the_other(*answers: Any) -> Callable[[Seen], Any]:
    """Give each answer once, and then produce."""
    left = iter(answers)
    return lambda _: next(left, PRODUCED)


@contextmanager
def hearing(logger_name: str, text: str) -> Iterator[asyncio.Event]:
    """Yield what is set when a logger says something with this text in it, in whichever thread."""
    loop, heard = asyncio.get_running_loop(), asyncio.Event()

    def hear(record: logging.LogRecord) -> None:
        if text in record.getMessage():
            loop.call_soon_threadsafe(heard.set)

    handler = logging.Handler(logging.DEBUG)
    handler.emit = hear  # type: ignore[method-assign]
    log = logging.getLogger(logger_name)
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield heard
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)
