"""Sends a rule's requests: with limited concurrency, in order if the rule requires it, with retries.

An event whose retries are exhausted becomes a dead letter.
"""

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

MAX_RETRY_AFTER_S = 60.0
"""The longest pause that a server's Retry-After can impose."""
MAX_PAUSE_IN_SLOT_S = 10.0
"""An event with a longer pause waits in the retry topic, if there is one, and frees its slot."""
_WIKI_ID = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class _Tries:
    """How the tries of one request ended."""

    attempts: int = 0
    last: ServiceAnswer | Failure | None = None
    seconds: float = 0.0
    postponed_s: float | None = None
    """The pause until the next try, if the event is to wait in the retry topic."""

    @property
    def answer(self) -> ServiceAnswer | None:
        return self.last if isinstance(self.last, ServiceAnswer) else None

    @property
    def reason(self) -> str:
        """The reason of the dead letter, if the event is given up."""
        return f"status_{self.last.status}" if isinstance(self.last, ServiceAnswer) else str(self.last)

    def retryable(self, rule: Rule) -> bool:
        if isinstance(self.last, ServiceAnswer):
            return self.last.status in rule.retry_on - rule.ignore and not self.last.done
        return self.last is not None and self.last.retryable


class Ordering:
    """Sends requests with the same rule and key one after another; requests without a key do not wait."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], asyncio.Event] = {}

    @asynccontextmanager
    async def turn(self, rule_name: str, key: str | None) -> AsyncIterator[None]:
        """Wait until all earlier turns of the key have ended. Turns follow the order of the calls."""
        if key is None:
            yield
            return
        # Each turn waits for the event of the turn before it. The entry of a key is removed by its last turn, so
        # the dictionary holds only keys in use.
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
    """Stores events outside this process until their next try."""

    async def put(
        self, rule: Rule, sourced: SourcedEvent, *, tried: int, pause_s: float, reason: str
    ) -> None:
        """Return when the event is stored; raises DeadLetterError if it cannot be."""
        ...


class Executor:
    """Sends the requests of all rules; each rule has its own limit of concurrent requests.

    During a short pause before a retry the event keeps its slot, so an outage slows down the reading and does not
    fill the memory. For a long pause the event is written to the retry topic, if there is one and the rule has no
    ``order_by``.
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
        """Take the parts; ``concurrency`` and ``retries``, if given, replace those of every rule."""
        self._client = client
        self._dead_letters = dead_letters
        self._retries = retries
        self._later = later
        self._warned: set[str] = set()
        """Rules with a warning, because their server does not report what it did with an event."""
        self.retrying: Counter[str] = Counter()
        """The number of requests that wait for another try, by the reason of the last failure."""
        self._slots = {rule.name: asyncio.Semaphore(concurrency or rule.concurrency) for rule in rules}

    async def wait_for_slot(self, rule: Rule) -> None:
        """Wait until the rule may send one more request, and take its slot."""
        await self._slots[rule.name].acquire()

    def free_slot(self, rule: Rule) -> None:
        """Return a slot."""
        self._slots[rule.name].release()

    async def execute(self, rule: Rule, case: Case, sourced: SourcedEvent) -> Outcome:
        """Send the event until it is accepted, postponed or given up. If given up, it is a dead letter on return.

        Raises:
            DeadLetterError: the event was postponed or given up, and could not be written.

        """
        try:
            request = rule.request(case, sourced.event)
        except UnexpandableError as exc:
            log.warning("rule %s cannot make a request of %s: %s", rule.name, sourced.position, exc)
            return await self.give_up(rule.name, sourced, UNEXPANDABLE)
        if sourced.reemit:
            request = request.asking_to_reemit()
        started = monotonic()
        tries = await self._try(rule, request, sourced.ticket.tried if sourced.ticket else 0)
        tries = replace(tries, seconds=monotonic() - started)
        if tries.postponed_s is not None and self._later is not None:
            try:
                await self._later.put(
                    rule, sourced, tried=tries.attempts, pause_s=tries.postponed_s, reason=tries.reason
                )
            except RecordTooLargeError:  # the message is larger than the event
                return await self._give_up(rule.name, sourced, tries.reason, tries)
            return _outcome(rule.name, sourced, Ending.POSTPONED, tries.reason, tries)
        if tries.answer is None or not (tries.answer.done or tries.answer.status in rule.ignore):
            return await self._give_up(rule.name, sourced, tries.reason, tries)
        ending, detail = _ending(tries.answer)
        if ending is Ending.ACCEPTED and rule.name not in self._warned:
            self._warned.add(rule.name)
            log.warning(
                "rule %s: the server answers %d without %s, so it is not known what it did (logged once)",
                rule.name,
                tries.answer.status,
                OUTCOME_HEADER,
            )
        return _outcome(rule.name, sourced, ending, detail, tries)

    async def keep_unreadable(self, record: UnreadableRecord) -> Outcome:
        """Write a record that is not an event to the dead letters; raises DeadLetterError."""
        log.warning("%s is not an event: %s", record.position, record.reason)
        await self._dead_letters.write(
            DeadLetter(record.reason, record.position, raw=record.raw, place=record.place)
        )
        return Outcome(Ending.GIVEN_UP, record.position, record.reason)

    async def give_up(self, rule_name: str, sourced: SourcedEvent, reason: str) -> Outcome:
        """Write an event for which no request can be made to the dead letters; raises DeadLetterError."""
        return await self._give_up(rule_name, sourced, reason, _Tries())

    async def _try(self, rule: Rule, request: Request, retry: int) -> _Tries:
        """Send a request, first as its n-th retry, until the answer is final or the retries are exhausted."""
        schedule = self._retries or rule.retries
        while True:
            result = await self._client.send(request, retry=retry, timeout_s=rule.timeout_s)
            tries = _Tries(retry + 1, result)
            if retry >= schedule.limit or not tries.retryable(rule):
                return tries
            asked = tries.answer.retry_after_s if tries.answer else None
            pause = schedule.pause_s(retry, retry_after_s=asked, longest_s=MAX_RETRY_AFTER_S)
            log.debug("request %s: %s, again in %.1f s", request.request_id, tries.reason, pause)
            if self._later is not None and rule.order_by is None and pause > MAX_PAUSE_IN_SLOT_S:
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
            reemit=sourced.reemit,
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
        repeated=tries.answer is not None and tries.answer.repeated,
    )


def _labels(rule_name: str, event: dict[str, Any], reason: str) -> dict[str, Any]:
    """Return the labels of a log line about an event: its ids, and nothing of its content."""
    labels: dict[str, Any] = {"labels.rule": rule_name, "labels.reason": reason}
    match event:
        case {"wiki_id": str(wiki_id), "revision": {"rev_id": int(rev_id)}} if _WIKI_ID.fullmatch(wiki_id):
            labels |= {"labels.wiki_id": wiki_id, "labels.rev_id": rev_id}
    match event:
        case {"meta": {"request_id": str(request_id)}} if REQUEST_ID.fullmatch(request_id):
            labels["http.request.id"] = request_id
    return labels


def _ending(answer: ServiceAnswer) -> tuple[Ending, str | None]:
    """Return the ending of a finished event and its detail, from the server's outcome header if there is one."""
    if not answer.done:
        return Ending.IGNORED, f"status_{answer.status}"
    if answer.outcome is None:
        return Ending.ACCEPTED, None
    ending, _, reason = answer.outcome.partition(":")
    return Ending(ending), reason or None
