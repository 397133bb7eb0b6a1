"""Carry out a rule's requests: in order and at bounded concurrency, with retries, then a dead letter."""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Protocol

from revertrisk.dispatcher.client import OUTCOME_HEADER, Failure, Sender, ServiceAnswer
from revertrisk.dispatcher.deadletters import DeadLetter, DeadLetters, RecordTooLargeError
from revertrisk.dispatcher.outcome import UNEXPANDABLE, Ending, Outcome
from revertrisk.dispatcher.rule_language.request import REQUEST_ID, Request
from revertrisk.dispatcher.rule_language.rule import Case, RetrySchedule, Rule
from revertrisk.dispatcher.rule_language.templates import UnexpandableError
from revertrisk.streams.base import SourcedEvent, UnreadableRecord

log = logging.getLogger(__name__)

LONGEST_RETRY_AFTER_S = 60.0
"""A server may ask for a longer pause than the schedule's, but not for more than this."""
LONGEST_PAUSE_IN_A_SLOT_S = 10.0
"""A longer pause is spent in the retry topic, where there is one."""
_WIKI_ID = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class _Tries:
    """How the tries of one request ended."""

    attempts: int = 0
    last: ServiceAnswer | Failure | None = None
    seconds: float = 0.0
    postponed_s: float | None = None
    """The pause until the next try, where it is not to be spent here."""

    @property
    def answer(self) -> ServiceAnswer | None:
        return self.last if isinstance(self.last, ServiceAnswer) else None

    @property
    def reason(self) -> str:
        """Why it is given up, if it is."""
        return f"status_{self.last.status}" if isinstance(self.last, ServiceAnswer) else str(self.last)

    def retryable(self, rule: Rule) -> bool:
        if isinstance(self.last, ServiceAnswer):
            return self.last.status in rule.retry_on - rule.ignore and not self.last.done
        return self.last is not None and self.last.retryable


class Ordering:
    """Lets requests of one rule and key go out one after the other; what has no key does not wait."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], asyncio.Event] = {}

    @asynccontextmanager
    async def turn(self, rule_name: str, key: str | None) -> AsyncIterator[None]:
        """Wait for all earlier turns of the key to end; enter in the order that is to be kept."""
        if key is None:
            yield
            return
        queue = (rule_name, key)
        earlier, mine = self._last.get(queue), asyncio.Event()
        self._last[queue] = mine
        try:
            if earlier is not None:
                await earlier.wait()
            yield
        finally:
            mine.set()
            if self._last[queue] is mine:
                del self._last[queue]


class RetryLater(Protocol):
    """Somewhere to put an event until its next try, outside this process."""

    async def put(
        self, rule: Rule, sourced: SourcedEvent, *, tried: int, pause_s: float, reason: str
    ) -> None:
        """Return when the event is safe there; raises DeadLetterError where it cannot be."""
        ...


class Executor:
    """Sends the requests of all rules, each rule's within its own bound.

    A short pause before a retry is spent in the slot, so an outage slows the reading down instead of filling the
    memory. A long one is spent in the retry topic, if there is one and the rule asks for no order.
    """

    def __init__(  # noqa: PLR0913 - the parts of a run, put together in one place
        self,
        rules: Iterable[Rule],
        client: Sender,
        dead_letters: DeadLetters,
        *,
        concurrency: int | None = None,
        retries: RetrySchedule | None = None,
        later: RetryLater | None = None,
    ) -> None:
        """Take what requests need; ``concurrency`` and ``retries``, where given, win over every rule's own."""
        self._client = client
        self._dead_letters = dead_letters
        self._retries = retries
        self._later = later
        self._warned: set[str] = set()
        """Rules whose server does not say what it did with an event."""
        self.retrying: Counter[str] = Counter()
        """Requests that wait for another try, by the reason why the last one failed."""
        self._slots = {rule.name: asyncio.Semaphore(concurrency or rule.concurrency) for rule in rules}

    async def wait_for_slot(self, rule: Rule) -> None:
        """Wait until the rule may have one more request under way, and take the slot."""
        await self._slots[rule.name].acquire()

    def free_slot(self, rule: Rule) -> None:
        """Give a slot back."""
        self._slots[rule.name].release()

    async def execute(self, rule: Rule, case: Case, sourced: SourcedEvent) -> Outcome:
        """Send the event until it is accepted, postponed or given up; then it is in the dead letters.

        Raises:
            DeadLetterError: the event was postponed or given up and could not be kept.

        """
        try:
            request = rule.request(case, sourced.event)
        except UnexpandableError as exc:
            log.warning("rule %s cannot make a request of %s: %s", rule.name, sourced.position, exc)
            return await self.give_up(rule.name, sourced, UNEXPANDABLE)
        started = monotonic()
        tries = await self._try(rule, request, sourced.ticket.tried if sourced.ticket else 0)
        tries = replace(tries, seconds=monotonic() - started)
        if tries.postponed_s is not None and self._later is not None:
            try:
                await self._later.put(
                    rule, sourced, tried=tries.attempts, pause_s=tries.postponed_s, reason=tries.reason
                )
            except RecordTooLargeError:  # the message holds more than the event
                return await self._give_up(rule.name, sourced, tries.reason, tries)
            return _outcome(rule.name, sourced, Ending.POSTPONED, tries.reason, tries)
        if tries.answer is None or not (tries.answer.done or tries.answer.status in rule.ignore):
            return await self._give_up(rule.name, sourced, tries.reason, tries)
        ending, detail = _ending(tries.answer)
        if ending is Ending.ACCEPTED and rule.name not in self._warned:
            self._warned.add(rule.name)
            log.warning(
                "rule %s: the server answers %d without %s: whether it did anything is not known (said once)",
                rule.name,
                tries.answer.status,
                OUTCOME_HEADER,
            )
        return _outcome(rule.name, sourced, ending, detail, tries)

    async def keep_unreadable(self, record: UnreadableRecord) -> Outcome:
        """Put a record that is no event into the dead letters; raises DeadLetterError."""
        log.warning("%s is not an event: %s", record.position, record.reason)
        await self._dead_letters.write(
            DeadLetter(record.reason, record.position, raw=record.raw, place=record.place)
        )
        return Outcome(Ending.GIVEN_UP, record.position, record.reason)

    async def give_up(self, rule_name: str, sourced: SourcedEvent, reason: str) -> Outcome:
        """Put an event for which no request can be made into the dead letters; raises DeadLetterError."""
        return await self._give_up(rule_name, sourced, reason, _Tries())

    async def _try(self, rule: Rule, request: Request, retry: int) -> _Tries:
        """Send a request, as its n-th retry, until the answer is final or the retries are used up."""
        schedule = self._retries or rule.retries
        while True:
            result = await self._client.send(request, retry=retry, timeout_s=rule.timeout_s)
            tries = _Tries(retry + 1, result)
            if retry >= schedule.limit or not tries.retryable(rule):
                return tries
            asked = tries.answer.retry_after_s if tries.answer else None
            pause = schedule.pause_s(retry, retry_after_s=asked, longest_s=LONGEST_RETRY_AFTER_S)
            log.debug("request %s: %s, again in %.1f s", request.request_id, tries.reason, pause)
            if self._later is not None and rule.order_by is None and pause > LONGEST_PAUSE_IN_A_SLOT_S:
                return replace(tries, postponed_s=pause)
            self.retrying[tries.reason] += 1
            try:
                await asyncio.sleep(pause)
            finally:
                self.retrying[tries.reason] -= 1
            retry += 1

    async def _give_up(self, rule_name: str, sourced: SourcedEvent, reason: str, tries: _Tries) -> Outcome:
        letter = DeadLetter(
            reason,
            sourced.position,
            sourced.event,
            rule=rule_name,
            attempts=tries.attempts,
            status=tries.answer.status if tries.answer else None,
            code=tries.answer.code if tries.answer else None,
            topic=sourced.topic,
        )
        await self._dead_letters.write(letter)
        log.warning(
            "rule %s gave up %s after %d tries: %s",
            rule_name,
            sourced.position,
            tries.attempts,
            reason,
            extra=_labels(rule_name, sourced.event, reason),
        )
        return _outcome(rule_name, sourced, Ending.GIVEN_UP, reason, tries)


def _outcome(
    rule_name: str, sourced: SourcedEvent, ending: Ending, detail: str | None, tries: _Tries
) -> Outcome:
    return Outcome(
        ending,
        sourced.position,
        detail,
        rule=rule_name,
        status=tries.answer.status if tries.answer else None,
        attempts=tries.attempts,
        seconds=tries.seconds,
        event=sourced.event,
    )


def _labels(rule_name: str, event: dict[str, Any], reason: str) -> dict[str, Any]:
    """Return what a log line says of an event: which it is, and nothing of what it holds."""
    labels: dict[str, Any] = {"labels.rule": rule_name, "labels.reason": reason}
    match event:
        case {"wiki_id": str(wiki_id), "revision": {"rev_id": int(rev_id)}} if _WIKI_ID.fullmatch(wiki_id):
            labels |= {"labels.wiki_id": wiki_id, "labels.rev_id": rev_id}
    match event:
        case {"meta": {"request_id": str(request_id)}} if REQUEST_ID.fullmatch(request_id):
            labels["http.request.id"] = request_id
    return labels


def _ending(answer: ServiceAnswer) -> tuple[Ending, str | None]:
    """Read how a finished event ended, in the server's own words where it has some."""
    if not answer.done:
        return Ending.IGNORED, f"status_{answer.status}"
    if answer.outcome is None:
        return Ending.ACCEPTED, None
    ending, _, reason = answer.outcome.partition(":")
    return Ending(ending), reason or None
