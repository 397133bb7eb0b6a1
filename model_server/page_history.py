"""When a page was first edited: what official models must know of a page, and ours do not."""

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
    """Scores like the scorer behind it, after it has added when the page was first edited.

    That costs one more request to the wiki for each revision.
    """

    def __init__(self, scorer: BatchScorer, mediawiki: MediaWikiClient, wikis: WikiTable) -> None:
        self._scorer = scorer
        self._mediawiki = mediawiki
        self._wikis = wikis

    async def score(self, revision: Revision, deadline: float) -> Prediction:
        """Score one revision before the deadline (event loop time, seconds).

        Raises:
            MediaWikiUnavailableError: the API gave no answer that can be used.
            InvalidRequestError: an unsaved edit does not say when its page was first edited.
            ServiceError: as the scorer behind it.

        """
        page = revision.page
        if page.first_edited_at is None:
            if revision.rev_id == UNSAVED_REV_ID:
                raise InvalidRequestError("page.first_edit_timestamp is missing: this model needs it")
            wiki = self._wikis.by_id(revision.wiki_id)
            assert wiki is not None  # noqa: S101 - a revision that was fetched is one of a wiki of the table
            try:
                async with asyncio.timeout_at(deadline):
                    first = await self._mediawiki.first_edited_at(wiki, page.page_id)
            except TimeoutError:
                raise MediaWikiUnavailableError(
                    "the MediaWiki API did not answer in time", reason="deadline"
                ) from None
            revision = replace(revision, page=replace(page, first_edited_at=first))
        return await self._scorer.score(revision, deadline)
