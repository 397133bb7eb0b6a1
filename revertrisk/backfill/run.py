"""The two phases of a backfill: plan the revisions, and send them through the dispatcher's pipeline."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from revertrisk.backfill.checkpoint import BackfillCheckpoint
from revertrisk.backfill.counts import Counts
from revertrisk.backfill.limiter import RateLimiter
from revertrisk.backfill.listing import Selection
from revertrisk.backfill.lookup import Lookup
from revertrisk.backfill.planner import Planner
from revertrisk.backfill.progress import Display, showing
from revertrisk.backfill.selection_verdict import SelectionJudge
from revertrisk.backfill.sending import RETRIES, LimitedSender, OutcomeNotes, PlannedRevisions
from revertrisk.backfill.target import Scorer, TargetAwayError, TargetError, ask_target
from revertrisk.backfill.wiki_api import WikiApi
from revertrisk.dispatcher.client import Sender
from revertrisk.dispatcher.deadletters import DeadLetters
from revertrisk.dispatcher.executor import Executor
from revertrisk.dispatcher.outcome import Ending, Outcome, RefusalLimit, Summary
from revertrisk.dispatcher.pipeline import DispatchPipeline
from revertrisk.dispatcher.rule_language.rule import Rule
from revertrisk.runtime.signals import on_signals
from revertrisk.wiki.table import Wiki

REFUSAL_LIMIT = 100
"""A run ends after this many revisions in a row were given up, since the next ones would fail too."""
GRACE_S = 30.0
"""How long a stop waits for requests in flight."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """One run and its parts."""

    wikis: dict[str, Wiki]
    target: str | None
    """The server's base address; None for a model in this process."""
    scorer: Scorer
    rule: Rule
    checkpoint: BackfillCheckpoint
    judge: SelectionJudge
    limiter: RateLimiter
    """One for planning and sending."""
    latest_only: bool
    """Whether only the latest of the selected revisions of each page is sent."""
    concurrency: int
    """The most revisions in flight at a time."""
    how_to_retry: str
    """The command that sends failed revisions again."""
    select: Callable[[WikiApi], Selection]
    open_wiki_api: Callable[[], AbstractAsyncContextManager[WikiApi]]
    open_sender: Callable[[], AbstractAsyncContextManager[tuple[Sender, DeadLetters]]]
    """Open the destination of events, and that of dead letters."""

    @property
    def planned_at(self) -> str:
        """When the plan was started."""
        return self.checkpoint.fact("planned_at") or ""

    def counts(self) -> Counts:
        """Count the revisions in the checkpoint."""
        unfound = len(self.checkpoint.unfound())
        return Counts.of(self.checkpoint.groups(), unfound, datetime.fromisoformat(self.planned_at))

    async def plan(self) -> None:
        """Plan the rest; raises WikiError."""
        if all(self.checkpoint.place(wiki_id) is None for wiki_id in self.wikis):
            return
        async with self.open_wiki_api() as api:
            with showing("planning", None) as display:
                planner = Planner(
                    self.checkpoint,
                    self.select(api),
                    Lookup(api),
                    self.judge,
                    latest_only=self.latest_only,
                    on_planned=lambda planned: display.advance(
                        len(planned), skipped=sum(one.reason is not None for one in planned)
                    ),
                )
                for wiki in self.wikis.values():
                    await planner.plan(wiki)

    async def send(self) -> str | None:
        """Send the rest, until the end or a signal; return why it ended early, or None.

        Raises:
            OutputError: the file of predictions cannot be used.
            DeadLetterError: a dead letter cannot be written.

        """
        stop = asyncio.Event()
        summary = Summary()
        async with AsyncExitStack() as stack:
            sender, letters = await stack.enter_async_context(self.open_sender())
            total = self.counts().left
            stack.enter_context(on_signals(stop.set))
            display = stack.enter_context(showing("sending", total))
            limit = RefusalLimit(REFUSAL_LIMIT, stop, summary)
            notes = OutcomeNotes(self.checkpoint, lambda outcome: _show(display, limit, outcome))
            session = await stack.enter_async_context(aiohttp.ClientSession())
            source = PlannedRevisions(
                self.checkpoint,
                self.wikis,
                Lookup(await stack.enter_async_context(self.open_wiki_api())),
                self.judge,
                check_target=lambda: self._check_target(session),
                on_dropped=lambda: display.advance(skipped=1),
            )
            executor = Executor(
                [self.rule],
                LimitedSender(sender, self.limiter),
                letters,
                concurrency=self.concurrency,
                retries=RETRIES,
            )
            pipeline = DispatchPipeline(
                source,
                (self.rule,),
                executor,
                grace_s=GRACE_S,
                on_outcome=notes.note_outcome,
                summary=summary,
            )
            await pipeline.run(stop)
        if summary.source_error is not None:
            return summary.source_error
        return "stopped; run the same command to continue" if stop.is_set() else None

    async def _check_target(self, session: aiohttp.ClientSession) -> None:
        """Check that the target is still the same; one that does not answer is asked again as long as a revision is.

        Raises:
            TargetError: it does not answer, or it is another model or stream now.

        """
        if self.target is None:
            return
        for retry in range(RETRIES.limit):
            try:
                now = await ask_target(session, self.target)
                break
            except TargetAwayError:
                await asyncio.sleep(RETRIES.pause_s(retry, retry_after_s=None, longest_s=0))
        else:
            now = await ask_target(session, self.target)
        if now.identity != self.scorer.identity:
            raise TargetError(
                f"target: {self.target} is {now.identity} now, and this backfill is for {self.scorer.identity}"
            )


def _show(display: Display, limit: RefusalLimit, outcome: Outcome) -> None:
    limit.note_outcome(outcome)
    failed = outcome.ending is Ending.GIVEN_UP
    display.advance(skipped=not failed and outcome.ending is not Ending.PRODUCED, failed=failed)
