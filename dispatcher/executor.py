"""Carry out a rule's request: bounded concurrency, retries, and a dead letter at the end of hope."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from time import monotonic

from dispatcher.client import Answer, Failure, HttpClient
from dispatcher.deadletters import DeadLetter, DeadLetterFile
from dispatcher.outcome import UNEXPANDABLE, Ending, Outcome
from dispatcher.requests import Request
from dispatcher.retries import RetrySchedule
from dispatcher.rules import Case, Rule
from dispatcher.sources.base import SourcedEvent, UnreadableRecord
from dispatcher.templates import UnexpandableError

log = logging.getLogger(__name__)

LONGEST_RETRY_AFTER_S = 60.0
"""A server may ask for a longer pause than the schedule's, but not for more than this."""


@dataclass(frozen=True, slots=True)
class _Tries:
    """How the tries of one request ended."""

    attempts: int = 0
    last: Answer | Failure | None = None
    seconds: float = 0.0

    @property
    def answer(self) -> Answer | None:
        return self.last if isinstance(self.last, Answer) else None

    @property
    def reason(self) -> str:
        """Why it is given up, if it is."""
        return f"status_{self.last.status}" if isinstance(self.last, Answer) else str(self.last)

    def retryable(self, rule: Rule) -> bool:
        if isinstance(self.last, Answer):
            return self.last.status in rule.retry_on - rule.ignore and not self.last.done
        return self.last is not None and self.last.retryable


class Executor:
    """Sends the requests of all rules, each rule's within its own bound.

    A retry waits in its slot. So an outage slows the reading down instead of filling the memory.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        client: HttpClient,
        dead_letters: DeadLetterFile,
        *,
        concurrency: int | None = None,
        retries: RetrySchedule | None = None,
    ) -> None:
        """Take what requests need; ``concurrency`` and ``retries``, where given, win over every rule's own."""
        self._client = client
        self._dead_letters = dead_letters
        self._retries = retries
        self._slots = {rule.name: asyncio.Semaphore(concurrency or rule.concurrency) for rule in rules}

    async def wait_for_slot(self, rule: Rule) -> None:
        """Wait until the rule may have one more request under way, and take the slot."""
        await self._slots[rule.name].acquire()

    def free_slot(self, rule: Rule) -> None:
        """Give a slot back."""
        self._slots[rule.name].release()

    async def execute(self, rule: Rule, case: Case, sourced: SourcedEvent) -> Outcome:
        """Send the event until it is accepted or given up; then it is in the dead letters.

        Raises:
            DeadLetterError: the event was given up and could not be kept.

        """
        try:
            request = rule.request(case, sourced.event)
        except UnexpandableError as exc:
            log.warning("rule %s cannot make a request of %s: %s", rule.name, sourced.position, exc)
            return await self._give_up(rule, sourced, UNEXPANDABLE, _Tries())
        started = monotonic()
        tries = await self._try(rule, request)
        tries = replace(tries, seconds=monotonic() - started)
        if tries.answer is None or not (tries.answer.done or tries.answer.status in rule.ignore):
            return await self._give_up(rule, sourced, tries.reason, tries)
        ending, detail = _ending(tries.answer)
        return _outcome(rule, sourced, ending, detail, tries)

    async def keep_unreadable(self, record: UnreadableRecord) -> Outcome:
        """Put a record that is no event into the dead letters; raises DeadLetterError."""
        log.warning("%s is not an event: %s", record.position, record.reason)
        await self._dead_letters.write(DeadLetter(record.reason, record.position, raw=record.raw))
        return Outcome(Ending.GIVEN_UP, record.position, record.reason)

    async def _try(self, rule: Rule, request: Request) -> _Tries:
        """Send a request until the answer is final or the retries are used up."""
        schedule = self._retries or rule.retries
        retry = 0
        while True:
            result = await self._client.send(request, retry=retry, timeout_s=rule.timeout_s)
            tries = _Tries(retry + 1, result)
            if retry >= schedule.limit or not tries.retryable(rule):
                return tries
            asked = tries.answer.retry_after_s if tries.answer else None
            pause = schedule.pause_s(retry, retry_after_s=asked, longest_s=LONGEST_RETRY_AFTER_S)
            log.debug("request %s: %s, again in %.1f s", request.request_id, tries.reason, pause)
            await asyncio.sleep(pause)
            retry += 1

    async def _give_up(self, rule: Rule, sourced: SourcedEvent, reason: str, tries: _Tries) -> Outcome:
        letter = DeadLetter(
            reason,
            sourced.position,
            sourced.event,
            rule=rule.name,
            attempts=tries.attempts,
            status=tries.answer.status if tries.answer else None,
            code=tries.answer.code if tries.answer else None,
        )
        await self._dead_letters.write(letter)
        log.warning(
            "rule %s gave up %s after %d tries: %s", rule.name, sourced.position, tries.attempts, reason
        )
        return _outcome(rule, sourced, Ending.GIVEN_UP, reason, tries)


def _outcome(rule: Rule, sourced: SourcedEvent, ending: Ending, detail: str | None, tries: _Tries) -> Outcome:
    return Outcome(
        ending,
        sourced.position,
        detail,
        rule=rule.name,
        status=tries.answer.status if tries.answer else None,
        attempts=tries.attempts,
        seconds=tries.seconds,
        event=sourced.event,
    )


def _ending(answer: Answer) -> tuple[Ending, str | None]:
    """Read how a finished event ended, in the server's own words where it has some."""
    if not answer.done:
        return Ending.IGNORED, f"status_{answer.status}"
    if answer.outcome is None:
        return Ending.ACCEPTED, None
    ending, _, reason = answer.outcome.partition(":")
    return Ending(ending), reason or None
