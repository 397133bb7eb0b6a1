"""`revertrisk lake check --api`: a sample of the lake against its wiki, here the mock MediaWiki and its samples."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mock_mediawiki.api import ActionApi
from mock_mediawiki.app import create_app
from mock_mediawiki.page_changes import page_changes
from mock_mediawiki.samples import SampleHistory
from revertrisk.lake.api_check import check_with_wikis
from revertrisk.lake.errors import LakeError
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.tables import Lake
from revertrisk.lake.writer import Batch, LakeWriter, RecordPlace
from revertrisk.wiki.table import WikiTable
from tests.fakes.lake_events import as_lines
from tests.fakes.loopback import serving

WIKIS = WikiTable.load()
HISTORY = SampleHistory.shipped(WIKIS)
EVENTS = list(page_changes(HISTORY, WIKIS))


@pytest.fixture(scope="module")
def wiki() -> Iterator[str]:
    with serving(create_app(ActionApi(HISTORY), WIKIS, HISTORY.default_wiki_id)) as url:
        yield url


def lake_of(folder: Path, events: list[dict[str, Any]]) -> Lake:
    lake = make_lake(str(folder / "lake"), str(folder / "key"))
    writer = LakeWriter(lake)
    writer.write(Batch(as_lines(events), [RecordPlace("a", 0)] * len(events), resume={"a": "1"}))
    writer.close()
    return lake


async def test_the_samples_are_as_their_wiki_says(wiki: str, tmp_path: Path) -> None:
    """Every revision of the sample pages is in the wiki as it is in the lake."""
    lake = lake_of(tmp_path, EVENTS)
    assert await check_with_wikis(lake, number=len(EVENTS), wiki_url=wiki) == []


async def test_what_differs_is_named(wiki: str, tmp_path: Path) -> None:
    """A size that differs, and a revision that the wiki does not have, are one line each without any text or name."""
    known = EVENTS[-1]
    other = known | {"revision": known["revision"] | {"rev_size": 7}}
    gone = known | {"revision": known["revision"] | {"rev_id": 987_654_321}}
    found = await check_with_wikis(lake_of(tmp_path, [other, gone]), number=10, wiki_url=wiki)
    wiki_id, rev_id, size = known["wiki_id"], known["revision"]["rev_id"], known["revision"]["rev_size"]
    assert sorted(found) == sorted(
        [
            f"{wiki_id} {rev_id}: rev_size is 7 in the lake and {size} on the wiki",
            f"{wiki_id} 987654321: the wiki does not have it",
        ]
    )


async def test_a_wiki_that_does_not_answer_is_said(tmp_path: Path) -> None:
    """The check cannot be made: that is an error, and no finding."""
    lake = lake_of(tmp_path, EVENTS[:1])
    with pytest.raises(LakeError, match="the request to the MediaWiki API failed"):
        await check_with_wikis(lake, number=1, wiki_url="http://127.0.0.1:1")
