"""Reads events from a source, applies the rules, passes them to the executor, and commits finished ones."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, time

from revertrisk.dispatcher.executor import Executor, Ordering
from revertrisk.dispatcher.offsets import OffsetTracker
from revertrisk.dispatcher.outcome import UNKNOWN_RULE, Ending, Outcome, Summary
from revertrisk.dispatcher.recent import RecentIds
from revertrisk.dispatcher.rule_language.rule import (
    Canary,
    Case,
    NotMatched,
    Rule,
    SampledOut,
    Taken,
    Verdict,
)
from revertrisk.event_platform.streams import event_meta
from revertrisk.streams.base import (
    EventSource,
    Position,
    RetryTicket,
    SourcedEvent,
    SourceError,
    UnreadableRecord,
)

log = logging.getLogger(__name__)

COMMIT_INTERVAL_S = 0.5
"""The interval of change-propagation."""
MAX_HELD = 10_000
"""The most records that are read and not committable; reading pauses there, so a slow event cannot fill the memory."""


@dataclass(slots=True)
class _Unfinished:
    """An event that rules took."""

    rules: int
    """The number of rules that have not finished it."""
    event_id: str | None


class DispatchPipeline:
    """One run over one source."""

    def __init__(  # noqa: PLR0913 - the parts of a run, put together in one place
        self,
        source: EventSource,
        rules: tuple[Rule, ...],
        executor: Executor,
        *,
        grace_s: float,
        on_outcome: Callable[[Outcome], None] | None = None,
        recent: RecentIds | None = None,
        summary: Summary | None = None,
        max_held: int = MAX_HELD,
    ) -> None:
        """Take the parts; ``grace_s`` limits the wait for requests at a shutdown.

        ``on_outcome`` is called with each outcome. ``recent`` are ids of events that are not processed again; None
        turns that off. Pipelines can share a ``summary``.
        """
        self._source = source
        self._rules = rules
        self._executor = executor
        self._grace_s = grace_s
        self._on_outcome = on_outcome
        self._recent = recent
        self._summary = summary if summary is not None else Summary()
        self._max_held = max_held
        self._room = asyncio.Event()
        self._tracker = OffsetTracker()
        self._ordering = Ordering()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._unfinished: dict[Position, _Unfinished] = {}
        self._repeats: dict[str, list[Position]] = {}
        """By the id of each event in progress: the positions of its duplicates so far."""

    async def run(self, stop: asyncio.Event, *, limit: int | None = None) -> Summary:
        """Read to the end, to ``limit`` records or until ``stop``, finish the requests in flight, return the counts.

        After ``stop`` nothing more is read. Requests that take longer than the grace period are cancelled, and their
        events are not committed. The source is closed at the end.

        A source that cannot be read further ends the run; the summary has the reason.

        Raises:
            DeadLetterError: an event that was given up could not be written; it is not committed.
            SourceError: finished events could not be committed.

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
            # Callers expect a single exception: the first is raised, and the group stays its cause.
            raise group.exceptions[0] from group
        finally:
            try:
                await self._commit()
            finally:
                await self._source.close()
                self._summary.seconds = monotonic() - started
        return self._summary

    async def _drain(self, stopping: asyncio.Task[bool]) -> None:
        """Wait for the requests in flight: without a limit until ``stop`` is set, then for the grace period."""
        while self._in_flight and not stopping.done():
            await asyncio.wait({stopping, *self._in_flight}, return_when=asyncio.FIRST_COMPLETED)
        if self._in_flight:
            log.info("stopping: %d requests in flight", len(self._in_flight))
            _, late = await asyncio.wait(self._in_flight, timeout=self._grace_s)
            for task in late:
                task.cancel()

    async def _read(self, tasks: asyncio.TaskGroup, limit: int | None) -> None:
        read = 0
        try:
            async with aclosing(self._source.events()) as records:
                async for record in records:
                    await self._take(record, tasks)
                    read += 1
                    if read == limit:
                        return
                    await self._wait_for_room()
        except SourceError as exc:
            self._summary.source_error = str(exc)

    async def _wait_for_room(self) -> None:
        """Wait while ``max_held`` records are read and not committable."""
        while self._tracker.held >= self._max_held:
            self._room.clear()
            await self._room.wait()

    async def _take(self, record: SourcedEvent | UnreadableRecord, tasks: asyncio.TaskGroup) -> None:
        """Start the requests of a record; wait while the rules that take it are at their limits."""
        # From here the record holds back the commit of its partition, so every path must lead to _finish: at once
        # if the record needs no request, otherwise when the last of its rules has finished it.
        self._tracker.start(record.position)
        self._summary.read += 1
        self._summary.owed += 1
        if isinstance(record, UnreadableRecord):
            self._settle_alone(await self._executor.keep_unreadable(record))
            return
        taken = await self._judge(record)
        if taken and self._is_first(record, taken):
            await self._start(record, taken, tasks)

    async def _judge(self, record: SourcedEvent) -> list[tuple[Rule, Case]]:
        """Return the rules that take an event; if there is none, settle it."""
        rules = self._rules
        if record.ticket is not None:
            rules = tuple(rule for rule in rules if rule.name == record.ticket.rule)
            if not rules:
                self._settle_alone(await self._executor.give_up(record.ticket.rule, record, UNKNOWN_RULE))
                return []
        verdicts = [(rule, rule.judge(record.event, record.topic)) for rule in rules]
        taken = [(rule, verdict.case) for rule, verdict in verdicts if isinstance(verdict, Taken)]
        if not taken:
            self._settle_alone(_left_alone(record, [verdict for _, verdict in verdicts]))
        return taken

    def _is_first(self, record: SourcedEvent, taken: list[tuple[Rule, Case]]) -> bool:
        """Return whether an event is to be sent; a duplicate of one in progress is finished together with it."""
        self._summary.owed += len(taken) - 1
        event_id = self._event_id(record)
        if event_id is None or not self._is_duplicate(event_id):
            self._unfinished[record.position] = _Unfinished(len(taken), event_id)
            if event_id is not None:
                self._repeats[event_id] = []
            return True
        for rule, _ in taken:
            self._settle(Outcome(Ending.DUPLICATE, record.position, rule=rule.name, event=record.event))
        if event_id in self._repeats:
            # The first one can belong to an earlier assignment of the partition, whose commits are discarded. Then
            # only this duplicate keeps the commit from passing the event before it is finished.
            self._repeats[event_id].append(record.position)
        else:
            self._finish(record.position)
        return False

    async def _start(
        self, record: SourcedEvent, taken: list[tuple[Rule, Case]], tasks: asyncio.TaskGroup
    ) -> None:
        """Start a delivery for each rule."""
        now = datetime.now(UTC)
        for rule, case in taken:
            if rule.has_expired(record.event, now):
                self._settle(Outcome(Ending.EXPIRED, record.position, rule=rule.name, event=record.event))
                self._finish_one(record.position)
                continue
            if record.ticket is None:
                await self._executor.wait_for_slot(rule)
                delivery = self._deliver(rule, case, record)
            else:  # it waits for its time without a slot, so that other events can use the slots
                delivery = self._deliver_later(rule, case, record, record.ticket)
            task = tasks.create_task(delivery)
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)

    async def _deliver_later(
        self, rule: Rule, case: Case, sourced: SourcedEvent, ticket: RetryTicket
    ) -> None:
        await asyncio.sleep(max(0.0, ticket.not_before - time()))
        await self._executor.wait_for_slot(rule)
        await self._deliver(rule, case, sourced)

    async def _deliver(self, rule: Rule, case: Case, sourced: SourcedEvent) -> None:
        try:
            async with self._ordering.turn(rule.name, rule.order_key(case, sourced.event)):
                outcome = await self._executor.execute(rule, case, sourced)
        finally:
            self._executor.free_slot(rule)
        self._settle(outcome)
        self._finish_one(sourced.position)

    def _event_id(self, sourced: SourcedEvent) -> str | None:
        """Return the id by which duplicates are found; None without an id, for retries, or if that is off."""
        if self._recent is None or sourced.ticket is not None:
            return None
        event_id = event_meta(sourced.event).get("id")
        return event_id if isinstance(event_id, str) else None

    def _is_duplicate(self, event_id: str) -> bool:
        return event_id in self._repeats or (self._recent is not None and event_id in self._recent)

    def _finish_one(self, position: Position) -> None:
        """Record that one of the rules that took an event has finished it."""
        unfinished = self._unfinished[position]
        unfinished.rules -= 1
        if unfinished.rules:
            return
        del self._unfinished[position]
        self._finish(position)
        if unfinished.event_id is not None and self._recent is not None:
            self._recent.add(unfinished.event_id)
            for repeated in self._repeats.pop(unfinished.event_id):
                self._finish(repeated)

    def _finish(self, position: Position) -> None:
        self._tracker.finish(position)
        self._room.set()

    def _settle(self, outcome: Outcome) -> None:
        self._summary.add(outcome)
        if self._on_outcome is not None:
            self._on_outcome(outcome)

    def _settle_alone(self, outcome: Outcome) -> None:
        """Settle a record that needs no request."""
        self._settle(outcome)
        self._finish(outcome.position)

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
    """Return the outcome of an event that no rule takes: the first of canary, sampled out, unmatched that applies."""
    kinds = {type(verdict) for verdict in verdicts}
    detail = None
    if Canary in kinds:
        ending = Ending.CANARY
    elif SampledOut in kinds:
        ending = Ending.SAMPLED_OUT
    else:
        ending = Ending.UNMATCHED
        detail = next((verdict.field for verdict in verdicts if isinstance(verdict, NotMatched)), None)
    return Outcome(ending, record.position, detail, event=record.event)
