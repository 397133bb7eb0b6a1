"""The two phases of a backfill: plan, and send what is planned through the dispatcher's pipeline."""

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from revertrisk.backfill.checkpoint import BackfillCheckpoint
from revertrisk.backfill.counts import Counts
from revertrisk.backfill.limiter import RateLimiter
from revertrisk.backfill.listing import Selection, selection_of
from revertrisk.backfill.lookup import Lookup
from revertrisk.backfill.planner import Planner
from revertrisk.backfill.prediction_file import PredictionFile
from revertrisk.backfill.progress import Display, showing
from revertrisk.backfill.selection_verdict import SelectionJudge
from revertrisk.backfill.sending import RETRIES, LimitedSender, NoLetters, OutcomeNotes, PlannedRevisions
from revertrisk.backfill.settings import BackfillSettings, ListedItems
from revertrisk.backfill.target import Scorer, TargetAwayError, TargetError, ask_target
from revertrisk.backfill.wiki_api import WikiApi
from revertrisk.dispatcher.client import HttpClient, Sender, new_session
from revertrisk.dispatcher.deadletters import DeadLetterFile, DeadLetters
from revertrisk.dispatcher.executor import Executor
from revertrisk.dispatcher.outcome import Ending, Outcome
from revertrisk.dispatcher.pipeline import Pipeline
from revertrisk.dispatcher.refusals import RefusalLimit
from revertrisk.dispatcher.rule_language.rule import Rule
from revertrisk.dispatcher.summary import Summary
from revertrisk.runtime.signals import on_signals
from revertrisk.wiki.action_api import PUBLIC_CONNECTIONS
from revertrisk.wiki.table import Wiki

if TYPE_CHECKING:
    from revertrisk.backfill.local import LocalModel

REFUSAL_LIMIT = 100
"""Revisions given up in a row that end a run: something is wrong that the next one will meet as well."""
GRACE_S = 30.0
"""How long a stop waits for what is under way."""
OUTPUT_BEGUN = "output_begun"
"""The fact of a checkpoint that the file of predictions is its own."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """One run, with everything that it needs."""

    settings: BackfillSettings
    wikis: dict[str, Wiki]
    listed: ListedItems
    target: str | None
    local: "LocalModel | None"
    """Where there is no target."""
    scorer: Scorer
    rule: Rule
    rule_file: Path
    checkpoint: BackfillCheckpoint
    judge: SelectionJudge
    limiter: RateLimiter
    """One for planning and sending."""

    @property
    def planned_at(self) -> str:
        """When the plan was begun."""
        return self.checkpoint.fact("planned_at") or ""

    @property
    def how_to_retry(self) -> str:
        """What to do about what failed."""
        if self.target is None:
            return "the same command"
        words = ("revertrisk", "redrive", "--source", f"dead-letters:{self.settings.dead_letters}")
        return shlex.join((*words, "--rule", str(self.rule_file), "--target", self.target))

    def counts(self) -> Counts:
        """Count what the checkpoint knows."""
        unfound = len(self.checkpoint.unfound())
        return Counts.of(self.checkpoint.groups(), unfound, datetime.fromisoformat(self.planned_at))

    async def plan(self) -> None:
        """Plan what is left to plan; raises WikiError."""
        settings = self.settings
        if all(self.checkpoint.place(wiki_id) is None for wiki_id in self.wikis):
            return
        async with _wiki_api(settings, self.limiter) as api:
            with showing("planning", None) as display:
                planner = Planner(
                    self.checkpoint,
                    self._selection(api),
                    Lookup(api),
                    self.judge,
                    latest_only=not settings.all_revisions and settings.revisions is None,
                    on_planned=lambda planned: display.advance(
                        len(planned), skipped=sum(one.reason is not None for one in planned)
                    ),
                )
                for wiki in self.wikis.values():
                    await planner.plan(wiki)

    async def send(self) -> str | None:
        """Send what is left, until the end or a signal; return why it ended early, if it did.

        Raises:
            OutputError: the file of predictions cannot be used.
            DeadLetterError: what was given up cannot be kept.

        """
        stop = asyncio.Event()
        summary = Summary()
        async with AsyncExitStack() as stack:
            sender, letters = await self._way_out(stack)
            total = self.counts().left
            stack.enter_context(on_signals(stop.set))
            display = stack.enter_context(showing("sending", total))
            limit = RefusalLimit(REFUSAL_LIMIT, stop, summary)
            notes = OutcomeNotes(self.checkpoint, lambda outcome: _tell(display, limit, outcome))
            session = await stack.enter_async_context(aiohttp.ClientSession())
            source = PlannedRevisions(
                self.checkpoint,
                self.wikis,
                Lookup(await stack.enter_async_context(_wiki_api(self.settings, self.limiter))),
                self.judge,
                check_target=lambda: self._check_target(session),
                on_dropped=lambda: display.advance(skipped=1),
            )
            executor = Executor(
                [self.rule],
                LimitedSender(sender, self.limiter),
                letters,
                concurrency=self.settings.concurrency,
                retries=RETRIES,
            )
            pipeline = Pipeline(
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
        return "stopped; the same command goes on" if stop.is_set() else None

    async def _way_out(self, stack: AsyncExitStack) -> tuple[Sender, DeadLetters]:
        """Open where events go, and where what is given up stays."""
        if self.local is None:
            session = await stack.enter_async_context(new_session(self.settings.user_agent))
            return HttpClient(session), stack.enter_context(DeadLetterFile(self.settings.dead_letters))
        assert self.settings.local is not None  # noqa: S101 - the settings have seen to it
        self.checkpoint.note_fact(OUTPUT_BEGUN, "yes")
        out = stack.enter_context(PredictionFile(self.settings.local))
        return await stack.enter_async_context(self.local.sending_to(out)), NoLetters()

    async def _check_target(self, session: aiohttp.ClientSession) -> None:
        """Ask the target once more; one that is away, for a restart say, has as long as a revision has."""
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

    def _selection(self, api: WikiApi) -> Selection:
        rev_ids = self.listed.rev_ids() if self.settings.revisions is not None else []
        titles = self.listed.items if self.settings.titles is not None else ()
        return selection_of(
            api,
            rev_ids=rev_ids,
            titles=titles,
            category=self.settings.category,
            namespaces=self.settings.namespaces,
            since=self.settings.since,
            until=self.settings.until,
            all_revisions=self.settings.all_revisions,
        )


def _tell(display: Display, limit: RefusalLimit, outcome: Outcome) -> None:
    limit.note_outcome(outcome)
    failed = outcome.ending is Ending.GIVEN_UP
    display.advance(skipped=not failed and outcome.ending is not Ending.PRODUCED, failed=failed)


@asynccontextmanager
async def _wiki_api(settings: BackfillSettings, limiter: RateLimiter) -> AsyncIterator[WikiApi]:
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=PUBLIC_CONNECTIONS)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": settings.user_agent}
    ) as session:
        wiki_url = None if settings.wiki_url is None else settings.wiki_url.rstrip("/")
        yield WikiApi(session, limiter, wiki_url=wiki_url)
