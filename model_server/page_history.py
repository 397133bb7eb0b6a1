"""Adds the time of a page's first edit, which official models need and ours do not."""

import asyncio
from dataclasses import replace

from model_server.batching import BatchScorer
from model_server.errors import InvalidRequestError, MediaWikiUnavailableError
from model_server.mediawiki import MediaWikiClient
from model_server.scoring_request import UNSAVED_REV_ID
from revertrisk.scoring.prediction import Prediction
from revertrisk.scoring.revision import Revision
from revertrisk.wiki.table import WikiTable


class PageHistoryScorer:
    """Adds the time of the page's first edit to a revision, and scores it with another scorer.

    That takes one more request to the wiki for each revision.
    """

    def __init__(self, scorer: BatchScorer, mediawiki: MediaWikiClient, wikis: WikiTable) -> None:
        self._scorer = scorer
        self._mediawiki = mediawiki
        self._wikis = wikis

    async def score(self, revision: Revision, deadline: float) -> Prediction:
        """Score one revision before the deadline (event loop time, seconds).

        Raises:
            MediaWikiUnavailableError: the API gave no valid answer.
            InvalidRequestError: an unsaved edit has no time of its page's first edit.
            ServiceError: from the other scorer.

        """
        page = revision.page
        if page.first_edited_at is None:
            if revision.rev_id == UNSAVED_REV_ID:
                raise InvalidRequestError("page.first_edit_timestamp is missing: this model needs it")
            wiki = self._wikis.by_id(revision.wiki_id)
            assert wiki is not None  # noqa: S101 - a fetched revision belongs to a wiki in the table
            try:
                async with asyncio.timeout_at(deadline):
                    first = await self._mediawiki.first_edited_at(wiki, page.page_id)
            except TimeoutError:
                raise MediaWikiUnavailableError(
                    "the MediaWiki API did not answer in time", reason="deadline"
                ) from None
            revision = replace(revision, page=replace(page, first_edited_at=first))
        return await self._scorer.score(revision, deadline)
