"""Sends given-up events again: from our own dead letters, or from change-propagation's error topic.

change-propagation's error event (``/error/0.0.3``) has in ``raw_event``, as text, either the event itself or the
retry message that holds it. Its ``message`` begins with the status of the last answer, as in ``500: http_error``, if
there was one; the ``error_status`` of a retry message is that of the try before. The rules of all services share the
topic; ``emitter_id`` names the rule. Any other record that is not one of our dead letters is used as an event.
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
from revertrisk.dispatcher.recovery.reconcile import MISSING
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
"""The prefix of the names of Lift Wing's rules in change-propagation."""
_MESSAGE_STATUS = re.compile(r"([1-5][0-9]{2})(?![0-9A-Za-z.])")
NO_STATUS = "no_status"
"""The reason of an error of change-propagation without an answer, if none of the failures below matches."""
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
"""Texts in Node.js's messages when there was no answer, such as ``read ECONNRESET``."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """An event that was given up, and the known reason."""

    event: dict[str, Any] | None
    """None if the record holds no event."""
    reason: str | None = None
    """The reason in our dead letter; of change-propagation's errors ``status_<code>`` or the failure."""
    status: int | None = None
    rule: str | None = None
    """The rule that gave it up; empty if an error names no rule; None if the event is for all rules."""
    topic: str | None = None
    """The topic that it first came from; None if that is not known."""
    reemit: bool = False
    """Whether the server is to emit its prediction again: the stream lacks it, whatever the server has recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which given-up events to send again, and how fast."""

    statuses: frozenset[str] = frozenset()
    """``503``, ``50x`` or ``5xx``; empty for all, including events without a status."""
    reasons: frozenset[str] = frozenset()
    """``timeout``, ``status_503`` and so on; empty for all."""
    any_emitter: bool = False
    """Also send events that rules of other names gave up."""
    per_second: float | None = None
    """The most events a second; None for no limit but the rules' concurrency."""

    def __post_init__(self) -> None:
        for status in self.statuses:
            if not _STATUS.fullmatch(status):
                raise SettingsError(f"status: expected one such as 503, 50x or 5xx, not {status!r}")
        if self.per_second is not None and not 0 < self.per_second < float("inf"):
            raise SettingsError("rate: expected a number of events a second over 0")

    @property
    def suffix(self) -> str:
        """The suffix of the checkpoint or consumer group for this choice; empty if it selects all events."""
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
    """A source of the events in an error topic or in a file of dead letters."""

    def __init__(self, inner: EventSource, choice: Choice, rules: Collection[str]) -> None:
        """Take the source of the records, the choice, and the names of the rules that send the events."""
        self._inner = inner
        self._choice = choice
        self._rules = {_emitter(name): name for name in rules}
        self._read = 0
        self._left_out = 0
        self._of_others = 0

    async def events(self) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
        """Yield the chosen events, at the chosen rate; raises SourceError."""
        due = monotonic()
        async with aclosing(self._inner.events()) as records:
            async for record in records:
                self._read += 1
                found = self._unwrapped(record)
                if found is None:
                    self._left_out += 1
                    continue
                if self._choice.per_second is not None:
                    now = monotonic()
                    await asyncio.sleep(max(0.0, due - now))
                    due = max(due, now) + 1 / self._choice.per_second
                yield found
        self._report_left_out()

    async def commit(self, position: Position) -> None:
        """Commit the record."""
        await self._inner.commit(position)

    async def close(self) -> None:
        """Close the records."""
        await self._inner.close()

    def _report_left_out(self) -> None:
        if not self._read:
            log.info(
                "no dead letters were read: there are none, or an earlier run with the same selection has read them all"
            )
        if not self._left_out:
            return
        log.log(
            logging.WARNING if self._left_out == self._read else logging.INFO,
            "%d of %d dead letters were not sent: %d of rules with other names (--any-emitter sends them), "
            "%d excluded by --status or --reason",
            self._left_out,
            self._read,
            self._of_others,
            self._left_out - self._of_others,
        )

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
        # Only for the rule that gave it up: another rule's request for it may have succeeded.
        ticket = None if rule is None else RetryTicket(rule, 0, 0.0)
        return replace(
            record, event=given_up.event, ticket=ticket, topic=given_up.topic, reemit=given_up.reemit
        )


def unwrap(record: dict[str, Any]) -> GivenUp:
    """Return the given-up event in a record; a record of no known form is used as the event itself."""
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
                reemit=reason == MISSING or record.get("reemit") is True,
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
    """Return the status of the last answer, or None without an answer, and the reason by which it is selected."""
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
    """Return the rule of an error or a retry message, from its ``emitter_id``: ``changeprop#liftwing_<rule>``."""
    return str(message.get("emitter_id", "")).partition("#")[2]


def _emitter(rule: str) -> str:
    """Return a rule's name without Lift Wing's prefix, so that both names of the same rule are equal."""
    return rule.removeprefix(_EMITTER_PREFIX)


def _topic(message: dict[str, Any]) -> str | None:
    """Return the topic of a dead letter or a retry message: ``topic``, or from the stream ``….retry.<topic>``."""
    topic = message.get("topic")
    if topic is None:
        topic = str(event_meta(message).get("stream", "")).partition(".retry.")[2] or None
    return topic if isinstance(topic, str) else None


def redrive_settings(settings: DispatchSettings, choice: Choice) -> DispatchSettings:
    """Complete the settings of a redrive: it reads all given-up events once, and a later run continues there.

    ``dead-letters:FILE`` is read with a checkpoint beside it. A topic is read from its oldest event, by its own
    consumer group. Each choice has its own checkpoint or group, so a choice can still read the events that another
    choice did not send. Events that are given up again go to another file or topic.

    Raises:
        SettingsError: the source is neither of them, or dead letters would be written to the source.

    """
    source = settings.source
    suffix = choice.suffix + ("-any-topic" if settings.any_topic else "")
    if source.startswith(DEAD_LETTERS):
        file = source.removeprefix(DEAD_LETTERS)
        if not file or file == "-":
            raise SettingsError("source: expected dead-letters:FILE")
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
