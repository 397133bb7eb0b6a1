"""Sends the planned revisions: a source for the dispatcher's pipeline, and a sender with a rate limit."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from revertrisk.backfill.checkpoint import BackfillCheckpoint, PendingRevision
from revertrisk.backfill.limiter import RateLimiter
from revertrisk.backfill.lookup import CHUNK, Found, ListedRevision, Lookup
from revertrisk.backfill.selection_verdict import SelectionJudge
from revertrisk.backfill.target import TargetError
from revertrisk.backfill.wiki_api import WikiError
from revertrisk.dispatcher.client import Failure, Sender, ServiceAnswer
from revertrisk.dispatcher.deadletters import DeadLetter
from revertrisk.dispatcher.outcome import Outcome
from revertrisk.dispatcher.rule_language.request import Request
from revertrisk.dispatcher.rule_language.rule import RetrySchedule
from revertrisk.streams.base import Position, SourcedEvent, SourceError
from revertrisk.wiki.table import Wiki

log = logging.getLogger(__name__)

PARTITION: Final = "backfill"
RETRIES: Final = RetrySchedule(limit=6, delay_s=2.0, factor=2.0)
"""Two minutes in all; replicas can take up to one minute to have a new revision."""


class PlannedRevisions:
    """A source of events for the pending revisions of the checkpoint.

    Each chunk is looked up again before it is sent. So a revision that was hidden or deleted since the plan is not
    sent. And a wiki that lags delays the sending, since these requests have ``maxlag`` and the server's do not.
    """

    def __init__(  # noqa: PLR0913 - the parts of a run, put together in one place
        self,
        checkpoint: BackfillCheckpoint,
        wikis: Mapping[str, Wiki],
        lookup: Lookup,
        judge: SelectionJudge,
        *,
        check_target: Callable[[], Awaitable[None]],
        on_dropped: Callable[[], None],
    ) -> None:
        """Take the parts; ``check_target`` raises TargetError if the server is no longer that of the plan."""
        self._checkpoint = checkpoint
        self._wikis = wikis
        self._lookup = lookup
        self._judge = judge
        self._check_target = check_target
        self._on_dropped = on_dropped

    async def events(self) -> AsyncGenerator[SourcedEvent, None]:
        """Yield the events of pending revisions, in the order of the plan; raises SourceError."""
        last = 0
        while pending := self._checkpoint.pending(last, CHUNK):
            last = pending[-1].number
            for wiki_id, revisions in groupby(pending, lambda revision: revision.wiki_id):
                try:
                    events = await self._events(self._wikis[wiki_id], list(revisions))
                except (WikiError, TargetError) as exc:
                    raise SourceError(str(exc)) from exc
                for event in events:
                    yield event

    async def commit(self, position: Position) -> None:
        """Do nothing: `OutcomeNotes` stores each outcome."""

    async def close(self) -> None:
        """Do nothing: the owner of the checkpoint closes it."""

    async def _events(self, wiki: Wiki, pending: Sequence[PendingRevision]) -> list[SourcedEvent]:
        await self._check_target()
        asked_at = datetime.now(UTC)
        refs = [ListedRevision(revision.rev_id, revision.parent_id) for revision in pending]
        found: list[Found] = await self._lookup.look_up(wiki, refs)
        events = []
        for revision, one in zip(pending, found, strict=True):
            verdict = self._judge.judge(wiki, one, asked_at)
            if verdict.event is not None:
                events.append(SourcedEvent(verdict.event, Position(PARTITION, revision.number)))
            else:
                self._checkpoint.note_outcome(revision.number, str(verdict.reason))
                self._on_dropped()
        return events


class LimitedSender:
    """Sends within the rate limit, since the server makes a request to the wiki for each event before it answers.

    A failed answer with Retry-After pauses all requests, because the wiki behind the server may have asked for it.
    """

    def __init__(self, inner: Sender, limiter: RateLimiter) -> None:
        self._inner = inner
        self._limiter = limiter

    async def send(self, request: Request, *, retry: int, timeout_s: float) -> ServiceAnswer | Failure:
        """Send a request once."""
        async with self._limiter.place():
            result = await self._inner.send(request, retry=retry, timeout_s=timeout_s)
        if isinstance(result, ServiceAnswer) and not result.done and result.retry_after_s is not None:
            log.info("%s: pausing for %.0f s", result.code or result.status, result.retry_after_s)
            self._limiter.pause(result.retry_after_s)
        return result


class OutcomeNotes:
    """Stores each outcome in the checkpoint, and then passes it on."""

    def __init__(self, checkpoint: BackfillCheckpoint, then: Callable[[Outcome], None]) -> None:
        self._checkpoint = checkpoint
        self._then = then

    def note_outcome(self, outcome: Outcome) -> None:
        """Store an outcome and pass it on."""
        self._checkpoint.note_outcome(outcome.position.offset, outcome.label)
        self._then(outcome)


class NoLetters:
    """Discards dead letters: the checkpoint has the given-up revisions, and the next run tries them again."""

    async def write(self, letter: DeadLetter) -> None:
        """Do nothing."""
