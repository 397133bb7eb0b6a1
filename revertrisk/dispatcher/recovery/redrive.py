"""Send again what was given up: our own dead letters, and change-propagation's error topic.

change-propagation's error event (``/error/0.0.3``) holds in ``raw_event``, as text, either the event itself or the
retry message that holds it. A record that is neither, nor one of our dead letters, is taken for an event.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

import orjson

from revertrisk.dispatcher.settings import DispatchSettings, SettingsError
from revertrisk.streams.base import (
    EventSource,
    Position,
    RetryTicket,
    SourcedEvent,
    UnreadableReason,
    UnreadableRecord,
)

log = logging.getLogger(__name__)

DEAD_LETTERS = "dead-letters:"
_STATUS = re.compile(r"[1-5][0-9]{2}|[1-5][0-9]x|[1-5]xx")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class GivenUp:
    """An event that was given up, and what is known of why."""

    event: dict[str, Any]
    reason: str | None = None
    """Our dead letter's; ``status_<code>`` for change-propagation's errors that have a status."""
    status: int | None = None
    rule: str | None = None
    """The rule of ours that gave it up; None where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which of the given-up events to send again, and how fast."""

    statuses: frozenset[str] = frozenset()
    """``503``, ``50x`` or ``5xx``; none for all, events without a status included."""
    reasons: frozenset[str] = frozenset()
    """``timeout``, ``status_503`` and so on; none for all."""
    per_second: float | None = None
    """The most events in a second; None for as many as the rules' concurrency allows."""

    def __post_init__(self) -> None:
        for status in self.statuses:
            if not _STATUS.fullmatch(status):
                raise SettingsError(f"status: expected one such as 503, 50x or 5xx, not {status!r}")
        if self.per_second is not None and not 0 < self.per_second < float("inf"):
            raise SettingsError("rate: expected a number of events a second over 0")

    @property
    def suffix(self) -> str:
        """What the choice adds to the name of the place that its readers come to; nothing if it takes everything."""
        return "".join(f"-{_NOT_IN_A_NAME.sub('_', name)}" for name in sorted(self.statuses | self.reasons))

    def takes(self, given_up: GivenUp) -> bool:
        """Return whether to send an event again."""
        if self.reasons and given_up.reason not in self.reasons:
            return False
        if not self.statuses:
            return True
        text = str(given_up.status)
        return bool(self.statuses & {text, f"{text[:2]}x", f"{text[:1]}xx"})


class GivenUpEvents:
    """A source of given-up events: what an error topic or a file of dead letters holds inside."""

    def __init__(self, inner: EventSource, choice: Choice, rules: Collection[str]) -> None:
        """Take the records, which of them to send, and the names of the rules that are to send them."""
        self._inner = inner
        self._choice = choice
        self._rules = rules
        self.left_out = 0
        """Given-up events that the choice leaves out, or that another dispatcher's rule gave up."""

    async def events(self) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
        """Yield the chosen events, at the chosen rate; raises SourceError."""
        due = monotonic()
        async with aclosing(self._inner.events()) as records:
            async for record in records:
                found = self._unwrapped(record)
                if found is None:
                    self.left_out += 1
                    continue
                if self._choice.per_second is not None:
                    now = monotonic()
                    await asyncio.sleep(max(0.0, due - now))
                    due = max(due, now) + 1 / self._choice.per_second
                yield found
        log.info("%d given-up events were left out", self.left_out)

    async def commit(self, position: Position) -> None:
        """Commit the record."""
        await self._inner.commit(position)

    async def close(self) -> None:
        """Close the records."""
        await self._inner.close()

    def _unwrapped(self, record: SourcedEvent | UnreadableRecord) -> SourcedEvent | UnreadableRecord | None:
        if isinstance(record, UnreadableRecord):
            return record
        given_up = unwrap(record.event)
        if given_up is None:
            raw = orjson.dumps(record.event)
            return UnreadableRecord(raw, UnreadableReason.NOT_A_DEAD_LETTER, record.position)
        if not self._choice.takes(given_up):
            return None
        if given_up.rule is None:
            return replace(record, event=given_up.event)
        if given_up.rule not in self._rules:
            return None
        # Only for the rule that gave it up: another one may have had it accepted.
        return replace(record, event=given_up.event, ticket=RetryTicket(given_up.rule, 0, 0.0))


def unwrap(record: dict[str, Any]) -> GivenUp | None:
    """Return the event inside a record, or None where it holds none."""
    match record:
        case {"raw_event": str(raw)}:
            return _from_error(record, raw)
        case {"original_event": dict(event)}:
            status = _status(record.get("error_status"))
            return GivenUp(event, _reason(status), status)
        case {"reason": str(reason), "event": dict(event)}:
            rule = record.get("rule")
            return GivenUp(
                event, reason, _status(record.get("status")), rule if isinstance(rule, str) else None
            )
        case {"reason": _, "raw": _} | {"reason": _, "raw_base64": _} | {"reason": _, "event": _}:
            return None
    return GivenUp(record)


def _from_error(error: dict[str, Any], raw: str) -> GivenUp | None:
    try:
        message = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(message, dict):
        return None
    details = error.get("details")
    status = _status(details.get("status")) if isinstance(details, dict) else None
    event = message
    if isinstance(message.get("original_event"), dict):
        event = message["original_event"]
        status = status if status is not None else _status(message.get("error_status"))
    return GivenUp(event, _reason(status), status)


def _status(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _reason(status: int | None) -> str | None:
    return None if status is None else f"status_{status}"


def redrive_settings(settings: DispatchSettings, choice: Choice) -> DispatchSettings:
    """Complete the settings of a redrive: read all that was given up, once, and continue there the next time.

    ``dead-letters:FILE`` is read with a checkpoint beside it. A topic is read from its oldest event, by a group of
    its own that remembers how far it came. Each choice has its own place: what one leaves out is there for the
    next. What is given up again goes to another place than it came from.

    Raises:
        SettingsError: the source is neither, or the dead letters would go where they come from.

    """
    source = settings.source
    if source.startswith(DEAD_LETTERS):
        file = source.removeprefix(DEAD_LETTERS)
        if not file or file == "-":
            raise SettingsError("source: expected dead-letters:FILE")
        if Path(settings.dead_letters).resolve() == Path(file).resolve():
            raise SettingsError("dead_letters: must be another file than the one that is read")
        checkpoint = settings.checkpoint or Path(f"{file}.redriven{choice.suffix}")
        return replace(settings, source=f"jsonl:{file}", checkpoint=checkpoint)
    if not source.startswith("kafka:"):
        raise SettingsError(f"source: expected kafka:TOPIC or dead-letters:FILE, not {source!r}")
    if str(settings.dead_letters) == source:
        raise SettingsError("dead_letters: must be another topic than the one that is read")
    rules = _NOT_IN_A_NAME.sub("_", settings.rule_file.stem)
    return replace(
        settings,
        group=settings.group or f"redrive-{rules}{choice.suffix}",
        from_start=settings.since is None,
        to_end=True,
    )
