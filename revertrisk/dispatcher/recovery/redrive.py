"""Send again what was given up: our own dead letters, and change-propagation's error topic.

change-propagation's error event (``/error/0.0.3``) holds in ``raw_event``, as text, either the event itself or the
retry message that holds it. Its ``message`` begins with the status of the last answer, as in ``500: http_error``, if
there was one; the ``error_status`` of a retry message is that of the try before. Rules of all services share the topic:
``emitter_id`` says whose error it is. A record that is neither, nor one of our dead letters, is taken for an event.
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

from revertrisk.dispatcher.client import Failure
from revertrisk.dispatcher.settings import DispatchSettings, SettingsError
from revertrisk.event_platform.streams import event_meta
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
_EMITTER_PREFIX = "liftwing_"
"""What the names of Lift Wing's rules begin with in change-propagation."""
_MESSAGE_STATUS = re.compile(r"([1-5][0-9]{2})(?![0-9A-Za-z.])")
NO_STATUS = "no_status"
"""The reason of an error of change-propagation that had no answer, and that none of the failures below explains."""
_FAILURES = {
    "ECONNREFUSED": Failure.CONNECTION_REFUSED,
    "ECONNRESET": Failure.CONNECTION_RESET,
    "EPIPE": Failure.CONNECTION_RESET,
    "socket hang up": Failure.CONNECTION_RESET,
    "ETIMEDOUT": Failure.TIMEOUT,
    "ESOCKETTIMEDOUT": Failure.TIMEOUT,
    "ENOTFOUND": Failure.CONNECTION_FAILED,
    "EAI_AGAIN": Failure.CONNECTION_FAILED,
    "EHOSTUNREACH": Failure.CONNECTION_FAILED,
    "ENETUNREACH": Failure.CONNECTION_FAILED,
}
"""What Node.js says where no answer came, such as ``read ECONNRESET``."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """An event that was given up, and what is known of why."""

    event: dict[str, Any] | None
    """None where the record holds none."""
    reason: str | None = None
    """Our dead letter's; of change-propagation's errors ``status_<code>``, or why no answer came."""
    status: int | None = None
    rule: str | None = None
    """The rule that gave it up, empty where an error names none; None where all rules may have it."""
    topic: str | None = None
    """The topic that it first came from; None where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which of the given-up events to send again, and how fast."""

    statuses: frozenset[str] = frozenset()
    """``503``, ``50x`` or ``5xx``; none for all, events without a status included."""
    reasons: frozenset[str] = frozenset()
    """``timeout``, ``status_503`` and so on; none for all."""
    any_emitter: bool = False
    """Send what rules of other names gave up too."""
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
        names = [*sorted(self.statuses | self.reasons), *(["any-emitter"] if self.any_emitter else [])]
        return "".join(f"-{_NOT_IN_A_NAME.sub('_', name)}" for name in names)

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
        self._rules = {_emitter(name): name for name in rules}
        self._left_out = 0
        self._of_others = 0

    async def events(self) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
        """Yield the chosen events, at the chosen rate; raises SourceError."""
        due = monotonic()
        async with aclosing(self._inner.events()) as records:
            async for record in records:
                found = self._unwrapped(record)
                if found is None:
                    self._left_out += 1
                    continue
                if self._choice.per_second is not None:
                    now = monotonic()
                    await asyncio.sleep(max(0.0, due - now))
                    due = max(due, now) + 1 / self._choice.per_second
                yield found
        log.info(
            "%d given-up events were left out, %d of them given up by rules of other names (--any-emitter)",
            self._left_out,
            self._of_others,
        )

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
        rule = None if given_up.rule is None else self._rules.get(_emitter(given_up.rule))
        is_of_another = given_up.rule is not None and rule is None and not self._choice.any_emitter
        self._of_others += is_of_another
        if is_of_another or not self._choice.takes(given_up):
            return None
        if given_up.event is None:
            raw = orjson.dumps(record.event)
            return UnreadableRecord(raw, UnreadableReason.NOT_A_DEAD_LETTER, record.position)
        # Only for the rule that gave it up: another one may have had it accepted.
        ticket = None if rule is None else RetryTicket(rule, 0, 0.0)
        return replace(record, event=given_up.event, ticket=ticket, topic=given_up.topic)


def unwrap(record: dict[str, Any]) -> GivenUp:
    """Return what a record says of an event that was given up; one that says nothing is taken for the event."""
    match record:
        case {"raw_event": str(raw)}:
            return _from_error(record, raw)
        case {"original_event": dict(event)}:
            return GivenUp(event, rule=_rule(record), topic=_topic(record))
        case {"reason": str(reason), "event": event} if isinstance(event, dict | None):
            rule = record.get("rule")
            return GivenUp(
                event,
                reason,
                _status(record.get("status")),
                rule if isinstance(rule, str) else None,
                _topic(record),
            )
        case {"reason": _, "raw": _} | {"reason": _, "raw_base64": _} | {"reason": _, "event": _}:
            return GivenUp(None)
    return GivenUp(record)


def _from_error(error: dict[str, Any], raw: str) -> GivenUp:
    status, reason = _why(error)
    try:
        message = orjson.loads(raw)
    except orjson.JSONDecodeError:
        message = None
    match message:
        case {"original_event": dict(event)}:
            return GivenUp(event, reason, status, _rule(error), _topic(message))
        case dict():
            return GivenUp(message, reason, status, _rule(error))
    return GivenUp(None, reason, status, _rule(error))


def _why(error: dict[str, Any]) -> tuple[int | None, str]:
    """Return the status of the last answer, None where none came, and the reason by which an error is chosen."""
    details, text = error.get("details"), str(error.get("message"))
    status = _status(details.get("status")) if isinstance(details, dict) else None
    in_message = _MESSAGE_STATUS.match(text)
    if status is None and in_message is not None:
        status = int(in_message[1])
    if status is not None:
        return status, f"status_{status}"
    return None, next((str(failure) for name, failure in _FAILURES.items() if name in text), NO_STATUS)


def _status(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _rule(message: dict[str, Any]) -> str:
    """Return the rule that an error or a retry message is of: ``changeprop#liftwing_<rule>``."""
    return str(message.get("emitter_id", "")).partition("#")[2]


def _emitter(rule: str) -> str:
    """Return what a rule's name has in common with that of Lift Wing's rule for the same."""
    return rule.removeprefix(_EMITTER_PREFIX)


def _topic(message: dict[str, Any]) -> str | None:
    """Return the topic that a dead letter or a retry message names: ``changeprop.retry.<topic>`` is one's stream."""
    topic = message.get("topic")
    if topic is None:
        topic = str(event_meta(message).get("stream", "")).partition(".retry.")[2] or None
    return topic if isinstance(topic, str) else None


def redrive_settings(settings: DispatchSettings, choice: Choice) -> DispatchSettings:
    """Complete the settings of a redrive: read all that was given up, once, and continue there the next time.

    ``dead-letters:FILE`` is read with a checkpoint beside it. A topic is read from its oldest event, by a group of
    its own that remembers how far it came. Each choice has its own place: what one leaves out is there for the
    next. What is given up again goes to another place than it came from.

    Raises:
        SettingsError: the source is neither, or the dead letters would go where they come from.

    """
    source = settings.source
    suffix = choice.suffix + ("-any-topic" if settings.any_topic else "")
    if source.startswith(DEAD_LETTERS):
        file = source.removeprefix(DEAD_LETTERS)
        if not file or file == "-":
            raise SettingsError("source: expected dead-letters:FILE")
        if Path(settings.dead_letters).resolve() == Path(file).resolve():
            raise SettingsError("dead_letters: must be another file than the one that is read")
        checkpoint = settings.checkpoint or Path(f"{file}.redriven{suffix}")
        return replace(settings, source=f"jsonl:{file}", checkpoint=checkpoint)
    if not source.startswith("kafka:"):
        raise SettingsError(f"source: expected kafka:TOPIC or dead-letters:FILE, not {source!r}")
    if str(settings.dead_letters) == source:
        raise SettingsError("dead_letters: must be another topic than the one that is read")
    rules = _NOT_IN_A_NAME.sub("_", settings.rule_file.stem)
    return replace(
        settings,
        group=settings.group or f"redrive-{rules}{suffix}",
        from_start=settings.since is None,
        to_end=True,
    )
