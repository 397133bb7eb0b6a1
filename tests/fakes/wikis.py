"""Small wikis for one test: pages with a parent and an edit, served by the mock MediaWiki's Action API."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import yaml

from mock_mediawiki.api import ActionApi
from mock_mediawiki.app import create_app
from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.table import WikiTable
from tests.fakes.loopback import serving

BEFORE = "== History ==\nThe village was first named in 1321.\n"
AFTER = BEFORE + "It has had a school since 1875.<ref>Chronicle, p. 4</ref>\n"


def page(
    page_id: int, parent_id: int, rev_id: int, *, title: str | None = None, **edit: Any
) -> dict[str, Any]:
    """Describe a page with two revisions in the samples' format; ``edit`` replaces fields of the second one."""
    return {
        "page_id": page_id,
        "title": title or f"Page {page_id}",
        "revisions": [
            {
                "rev_id": parent_id,
                "timestamp": datetime(2024, 1, 1, tzinfo=UTC),
                "user": "192.0.2.1",
                "background": True,
                "text": BEFORE,
            },
            {
                "rev_id": rev_id,
                "timestamp": datetime(2024, 1, 2, tzinfo=UTC),
                "user": "192.0.2.7",
                "comment": "school",
                "label": "good",
                "text": AFTER,
            }
            | edit,
        ],
    }


@contextmanager
def serving_wikis(pages: Mapping[str, Iterable[dict[str, Any]]]) -> Iterator[str]:
    """Serve the Action API of some wikis, given as their pages by wiki_id, and yield its base URL."""
    wikis = WikiTable.load()
    history = SampleHistory.read(
        (
            (wiki_id, yaml.safe_dump({"wiki_id": wiki_id, "users": {}, "pages": list(of_wiki)}))
            for wiki_id, of_wiki in pages.items()
        ),
        wikis,
    )
    with serving(create_app(ActionApi(history), wikis, next(iter(pages)))) as url:
        yield url
