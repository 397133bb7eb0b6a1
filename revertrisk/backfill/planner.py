"""Plans a backfill: finds the selected revisions, decides which are sent, and stores that in the checkpoint."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from revertrisk.backfill.checkpoint import BackfillCheckpoint, PlannedRevision
from revertrisk.backfill.listing import Selection
from revertrisk.backfill.lookup import CHUNK, Found, ListedRevision, Lookup
from revertrisk.backfill.selection_verdict import LeftOut, SelectionJudge
from revertrisk.runtime.instants import parse_date_time
from revertrisk.wiki.revision_facts import RevisionFacts
from revertrisk.wiki.table import Wiki

_REMEMBERED_PAGES = 10_000


class Planner:
    """Plans one wiki after another."""

    def __init__(  # noqa: PLR0913 - the parts of a run, put together in one place
        self,
        checkpoint: BackfillCheckpoint,
        selection: Selection,
        lookup: Lookup,
        judge: SelectionJudge,
        *,
        latest_only: bool,
        on_planned: Callable[[Sequence[PlannedRevision]], None],
    ) -> None:
        """Take the parts. With ``latest_only`` only the first listed revision of each page is sent."""
        self._checkpoint = checkpoint
        self._selection = selection
        self._lookup = lookup
        self._judge = judge
        self._latest_only = latest_only
        self._on_planned = on_planned
        self._created: dict[tuple[str, int], str | None] = {}

    async def plan(self, wiki: Wiki) -> None:
        """Plan the rest of a wiki.

        Raises:
            WikiError: the wiki does not answer; the finished part of the plan is kept.

        """
        place = self._checkpoint.place(wiki.wiki_id)
        if place is None:
            return
        async for batch in self._selection.batches(wiki, place):
            for chunk in _chunks(self._new(wiki, batch.refs)):
                asked_at = datetime.now(UTC)
                self._add(
                    [
                        await self._planned(wiki, ref, found, asked_at)
                        for ref, found in zip(chunk, await self._lookup.look_up(wiki, chunk), strict=True)
                    ]
                )
            self._checkpoint.finish_batch(wiki.wiki_id, batch.next_place, batch.unfound)

    def _new(self, wiki: Wiki, refs: Sequence[ListedRevision]) -> list[ListedRevision]:
        """Return the revisions to look up, without duplicates; store those that are not the latest of their page."""
        known = self._checkpoint.known(wiki.wiki_id, (ref.rev_id for ref in refs))
        new = list({ref.rev_id: ref for ref in refs if ref.rev_id not in known}.values())
        if not self._latest_only:
            return new
        taken: dict[int | None, ListedRevision] = {}
        not_latest: list[ListedRevision] = []
        for ref in new:
            has_later = ref.page_id is not None and self._checkpoint.has_page(wiki.wiki_id, ref.page_id)
            if has_later or ref.page_id in taken:
                not_latest.append(ref)
            else:
                taken[ref.page_id] = ref
        self._add([_planned(wiki, ref, None, LeftOut.NOT_LATEST.reason) for ref in not_latest])
        return list(taken.values())

    async def _planned(
        self, wiki: Wiki, ref: ListedRevision, found: Found, asked_at: datetime
    ) -> PlannedRevision:
        facts = found.revision
        planned = _planned(wiki, ref, facts, self._judge.judge(wiki, found, asked_at).reason)
        if planned.reason is None and facts is not None and self._judge.filters.needs_page_age:
            created_at = await self._page_created_at(wiki, facts.page_id)
            changed_at = facts.saved_at
            if created_at is None or not self._judge.filters.takes_age(
                changed_at, parse_date_time(created_at)
            ):
                return replace(planned, reason=LeftOut.PAGE_AGE.reason)
        return planned

    async def _page_created_at(self, wiki: Wiki, page_id: int) -> str | None:
        page = wiki.wiki_id, page_id
        if page not in self._created:
            if len(self._created) >= _REMEMBERED_PAGES:
                self._created.clear()
            self._created[page] = await self._lookup.page_created_at(wiki, page_id)
        return self._created[page]

    def _add(self, planned: Sequence[PlannedRevision]) -> None:
        self._checkpoint.add(planned)
        self._on_planned(planned)


def _planned(
    wiki: Wiki, ref: ListedRevision, facts: RevisionFacts | None, reason: str | None
) -> PlannedRevision:
    """Return the stored facts of a revision: from the look-up if it found it, otherwise from the list."""
    return PlannedRevision(
        wiki_id=wiki.wiki_id,
        rev_id=ref.rev_id,
        parent_id=facts.parent_id if facts else ref.parent_id,
        page_id=facts.page_id if facts else ref.page_id,
        namespace_id=facts.namespace_id if facts else ref.namespace_id,
        changed_at=facts.timestamp if facts else ref.timestamp,
        reason=reason,
    )


def _chunks(refs: Sequence[ListedRevision]) -> Iterator[Sequence[ListedRevision]]:
    return (refs[start : start + CHUNK] for start in range(0, len(refs), CHUNK))
