"""Looks up revisions and their parents in the wiki, as they are now."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from revertrisk.backfill.wiki_api import WikiApi
from revertrisk.runtime.instants import is_instant
from revertrisk.wiki.revision_facts import RevisionFacts, read_pages
from revertrisk.wiki.table import Wiki

PROPERTIES: Final = "ids|timestamp|flags|user|userid|comment|sha1|size|contentmodel|tags"
"""``rvprop``: everything except the text. ``sha1hidden`` shows that a text is hidden."""
CHUNK: Final = 25
"""The number of revisions in a look-up. With their parents these are 50 ids, the API's limit for one parameter."""


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ListedRevision:
    """A revision in a list; a field that the list does not have is None."""

    rev_id: int
    parent_id: int | None = None
    page_id: int | None = None
    namespace_id: int | None = None
    timestamp: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A revision and its parent, each None if the wiki does not have it or there is no parent."""

    rev_id: int
    revision: RevisionFacts | None
    parent: RevisionFacts | None


class Lookup:
    """Looks up chunks of revisions."""

    def __init__(self, api: WikiApi) -> None:
        self._api = api

    async def look_up(self, wiki: Wiki, refs: Sequence[ListedRevision]) -> list[Found]:
        """Return at most `CHUNK` revisions with their parents, in their order.

        This takes one request if all parent ids are given, otherwise two.

        Raises:
            WikiError: the wiki does not answer.

        """
        ids = {ref.rev_id for ref in refs} | {ref.parent_id for ref in refs if ref.parent_id}
        facts = await self._revisions(wiki, ids)
        parents = {facts[ref.rev_id].parent_id for ref in refs if ref.rev_id in facts}
        if more := parents - ids - {0}:  # 0: no parent
            facts |= await self._revisions(wiki, more)
        found = []
        for ref in refs:
            revision = facts.get(ref.rev_id)
            found.append(Found(ref.rev_id, revision, facts.get(revision.parent_id) if revision else None))
        return found

    async def page_created_at(self, wiki: Wiki, page_id: int) -> str | None:
        """Return the timestamp of a page's first revision, or None if the answer has none; raises WikiError."""
        answer = await self._api.query(
            wiki,
            {
                "prop": "revisions",
                "pageids": str(page_id),
                "rvlimit": "1",
                "rvdir": "newer",
                "rvprop": "ids|timestamp",
            },
        )
        match answer:
            case {"query": {"pages": [{"revisions": [{"timestamp": str(timestamp)}, *_]}, *_]}}:
                return timestamp if is_instant(timestamp) else None
        return None

    async def _revisions(self, wiki: Wiki, ids: Iterable[int]) -> dict[int, RevisionFacts]:
        parameters = {
            "prop": "revisions|info",
            "revids": "|".join(map(str, sorted(ids))),
            "rvprop": PROPERTIES,
            "rvslots": "main",
        }
        pages: dict[Any, dict[str, Any]] = {}
        continuation: Mapping[str, Any] = {}
        while True:
            answer = await self._api.query(wiki, {**parameters, **continuation})
            for page in answer.get("query", {}).get("pages", ()):
                # If an answer is continued, only one of its parts has the facts of the page.
                known = pages.setdefault(page.get("pageid"), {"revisions": []})
                known["revisions"] += page.get("revisions", ())
                known.update((name, value) for name, value in page.items() if name != "revisions")
            continuation = answer.get("continue", {})
            if not continuation:
                return _read(pages.values())


def _read(pages: Collection[Mapping[str, Any]]) -> dict[int, RevisionFacts]:
    facts = {facts.rev_id: facts for facts in read_pages(pages)}
    if unreadable := sum(len(page["revisions"]) for page in pages) - len(facts):
        log.warning(
            "the MediaWiki API described %d revisions in an unexpected form; they count as missing",
            unreadable,
        )
    return facts
