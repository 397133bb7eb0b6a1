"""Move events from a source through the rules to the executor, and commit what is done."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from time import monotonic

from dispatcher.executor import Executor
from dispatcher.offsets import OffsetTracker
from dispatcher.outcome import Ending, Outcome
from dispatcher.rules import Canary, Case, Rule, SampledOut, Taken, Verdict
from dispatcher.sources.base import EventSource, Position, SourcedEvent, SourceError, UnreadableRecord
from dispatcher.summary import Summary

log = logging.getLogger(__name__)

COMMIT_INTERVAL_S = 0.5
"""As change-propagation does."""


class Pipeline:
    """One run over one source."""

    def __init__(
        self,
        source: EventSource,
        rules: tuple[Rule, ...],
        executor: Executor,
        *,
        grace_s: float,
        on_outcome: Callable[[Outcome], None] | None,
    ) -> None:
        """Take the parts, the seconds that bound a shutdown, and who hears of each outcome."""
        self._source = source
        self._rules = rules
        self._executor = executor
        self._grace_s = grace_s
        self._on_outcome = on_outcome
        self._tracker = OffsetTracker()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._unfinished: dict[Position, int] = {}
        self._summary = Summary()

    async def run(self, stop: asyncio.Event, *, limit: int | None = None) -> Summary:
        """Read to the end, to ``limit`` records or until ``stop``, finish what is in flight, and return the counts.

        After ``stop`` nothing more is read, and what takes longer than the grace period is abandoned
        without being committed.

        A source that breaks is an end like any other; the summary says so.

        Raises:
            DeadLetterError: something given up could not be kept; it is not committed.

        """
        started = monotonic()
        try:
            async with asyncio.TaskGroup() as tasks:
                committing = tasks.create_task(self._commit_regularly())
                reading = tasks.create_task(self._read(tasks, limit))
                stopping = tasks.create_task(stop.wait())
                await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
                reading.cancel()
                await asyncio.wait({reading})
                await self._drain(stopping)
                stopping.cancel()
                committing.cancel()
        except ExceptionGroup as group:
            # One cause is enough to stop for, and callers can name it; the group stays its cause.
            raise group.exceptions[0] from group
        finally:
            await self._commit()
            self._summary.seconds = monotonic() - started
        return self._summary

    async def _drain(self, stopping: asyncio.Task[bool]) -> None:
        """Wait for the requests in flight: without limit while nobody stops us, then for the grace period."""
        while self._in_flight and not stopping.done():
            await asyncio.wait({stopping, *self._in_flight}, return_when=asyncio.FIRST_COMPLETED)
        if self._in_flight:
            log.info("stopping: %d requests in flight", len(self._in_flight))
            _, late = await asyncio.wait(self._in_flight, timeout=self._grace_s)
            for task in late:
                task.cancel()

    async def _read(self, tasks: asyncio.TaskGroup, limit: int | None) -> None:
        try:
            async with aclosing(self._source.events()) as records:
                async for record in records:
                    await self._take(record, tasks)
                    if self._summary.read == limit:
                        return
        except SourceError as exc:
            self._summary.source_error = str(exc)

    async def _take(self, record: SourcedEvent | UnreadableRecord, tasks: asyncio.TaskGroup) -> None:
        """Start what a record needs; waits while the rules that take it are at their bounds."""
        self._tracker.start(record.position)
        self._summary.read += 1
        if isinstance(record, UnreadableRecord):
            self._summary.owed += 1
            self._settle(await self._executor.keep_unreadable(record))
            self._tracker.finish(record.position)
            return
        verdicts = [(rule, rule.judge(record.event)) for rule in self._rules]
        taken = [(rule, verdict.case) for rule, verdict in verdicts if isinstance(verdict, Taken)]
        self._summary.owed += max(1, len(taken))
        if not taken:
            self._settle(_left_alone(record, [verdict for _, verdict in verdicts]))
            self._tracker.finish(record.position)
            return
        self._unfinished[record.position] = len(taken)
        for rule, case in taken:
            await self._executor.wait_for_slot(rule)
            task = tasks.create_task(self._deliver(rule, case, record))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)

    async def _deliver(self, rule: Rule, case: Case, sourced: SourcedEvent) -> None:
        try:
            outcome = await self._executor.execute(rule, case, sourced)
        finally:
            self._executor.free_slot(rule)
        self._settle(outcome)
        self._unfinished[sourced.position] -= 1
        if not self._unfinished[sourced.position]:
            del self._unfinished[sourced.position]
            self._tracker.finish(sourced.position)

    def _settle(self, outcome: Outcome) -> None:
        self._summary.add(outcome)
        if self._on_outcome is not None:
            self._on_outcome(outcome)

    async def _commit_regularly(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_INTERVAL_S)
            await self._commit()

    async def _commit(self) -> None:
        positions = self._tracker.take_committable()
        for position in positions:
            await self._source.commit(position)
        self._summary.note_committed(positions)


def _left_alone(record: SourcedEvent, verdicts: list[Verdict]) -> Outcome:
    """Name the outcome of an event that no rule takes, by what comes closest to taking it."""
    kinds = {type(verdict) for verdict in verdicts}
    if Canary in kinds:
        ending = Ending.CANARY
    elif SampledOut in kinds:
        ending = Ending.SAMPLED_OUT
    else:
        ending = Ending.UNMATCHED
    return Outcome(ending, record.position, event=record.event)
