"""What both histories, of sample pages and of an export, have in common."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.exports.history import ExportHistory
from revertrisk.wiki.exports.index import indexed_export
from revertrisk.wiki.history import ChangeKind, EarlierText, History, RevisionRange, sha1_base36
from revertrisk.wiki.table import WikiTable
from revertrisk.wiki.user_kinds import UserKind

FIRST = ("", 0)
LAST = ("~", 0)


@pytest.fixture(params=["samples", "export"])
def history(
    request: pytest.FixtureRequest, sample: str, export: Path, tmp_path: Path, wikis: WikiTable
) -> Iterator[History]:
    """Return each kind of history, of the same page."""
    if request.param == "samples":
        yield SampleHistory.read([("de.yaml", sample)], wikis)
    else:
        opened = ExportHistory(indexed_export(export, tmp_path / "cache", wikis))
        yield opened
        opened.close()


def test_a_revision_is_found_by_wiki_and_id(history: History) -> None:
    """A revision has its page, parent, author, hash and size; another wiki has no such revision."""
    revision = history.revision("dewiki", 101)

    assert revision is not None
    assert (revision.page_id, revision.page_title, revision.namespace_id) == (10, "Apfelbaum im Garten", 0)
    assert (revision.parent_id, revision.timestamp) == (100, "2026-08-01T11:00:00Z")
    assert revision.user is not None
    assert (revision.user.kind, revision.user.user_id, revision.user.groups) == (UserKind.IP, 0, ("*",))
    assert (revision.comment, revision.size) == ("", 14)
    assert revision.sha1 == sha1_base36("Kein Birnbaum.")
    assert revision.kind is ChangeKind.EDIT
    assert history.text(revision) == "Kein Birnbaum."
    assert history.revision("enwiki", 101) is None
    assert history.revision("dewiki", 4) is None


def test_a_page_is_found_by_id_and_by_title(history: History) -> None:
    """A page knows its latest revision and is listed once; what does not exist is not found."""
    page = history.page("dewiki", 10)

    assert page is not None
    assert page == history.page_titled("dewiki", "Apfelbaum im Garten")
    assert page.latest_rev_id == 102
    assert list(history.pages("dewiki")).count(page) == 1
    assert history.page("enwiki", 10) is history.page_titled("enwiki", "Apfelbaum im Garten") is None
    assert history.page("dewiki", 99) is history.page_titled("dewiki", "Birnbaum") is None
    assert list(history.pages("enwiki")) == []


@pytest.mark.parametrize(
    ("is_newer", "start", "end", "limit", "expected"),
    [
        (True, FIRST, LAST, 9, [100, 101, 102]),
        (True, FIRST, LAST, 2, [100, 101]),
        (False, LAST, FIRST, 9, [102, 101, 100]),
        (False, LAST, FIRST, 2, [102, 101]),
        (False, ("2026-08-01T11:00:00Z", 101), FIRST, 9, [101, 100]),
        (True, ("2026-08-01T11:00:00Z", 101), ("2026-08-01T11:00:00Z", 101), 9, [101]),
        (True, ("2026-08-01T11:00:00Z", 102), ("2026-08-01T11:59:59Z", 1), 9, []),
        (True, ("2026-08-01T11:00:00Z", 102), LAST, 9, [102]),
    ],
)
def test_revisions_are_listed_in_the_order_of_time(
    history: History,
    is_newer: bool,
    start: tuple[str, int],
    end: tuple[str, int],
    limit: int,
    expected: list[int],
) -> None:
    """Of a page and of a wiki: both bounds are included, a rev_id counts within its second, other wikis have none."""
    within = RevisionRange(is_newer, start, end)
    page = history.page("dewiki", 10)
    assert page is not None
    of_wiki = [each for each in history.wiki_revisions("dewiki", within, 99) if each.page_id == 10]
    for found in (history.page_revisions(page, within, limit), of_wiki[:limit]):
        assert [revision.rev_id for revision in found] == expected
    assert list(history.wiki_revisions("enwiki", within, 9)) == []


def test_the_revisions_before_one_come_newest_first(history: History) -> None:
    """Only revisions of the same page count, and no more than asked for."""
    latest = history.revision("dewiki", 102)
    assert latest is not None

    assert [earlier.rev_id for earlier in history.preceding(latest, 15)] == [101, 100]
    assert history.preceding(latest, 1) == [
        EarlierText(101, "2026-08-01T11:00:00Z", sha1_base36("Kein Birnbaum."))
    ]


def test_the_first_revision_of_a_page_creates_it(history: History) -> None:
    """The changes begin with a creation, whose parent is 0."""
    first = next(history.changes())

    assert (first.rev_id, first.parent_id, first.kind) == (100, 0, ChangeKind.CREATE)


def test_an_export_s_changes_are_ordered_by_time_then_place(
    export: Path, tmp_path: Path, wikis: WikiTable
) -> None:
    """Pages are interleaved as they were edited, and an export's unknown facts stay unknown."""
    history = ExportHistory(indexed_export(export, tmp_path, wikis))

    revisions = list(history.changes())

    assert [revision.rev_id for revision in revisions] == [100, 90, 101, 102]
    assert history.default_wiki_id == "dewiki"
    temporary = revisions[1].user
    assert temporary is not None
    assert temporary.kind is UserKind.TEMPORARY
    assert (temporary.groups, temporary.edit_count, temporary.registered) == (None, None, None)
    history.close()


def test_the_hash_is_mediawiki_s() -> None:
    """The base-36 hash of the empty text is the one that every wiki has for it."""
    assert sha1_base36("") == "phoiac9h4m842xq45sp7s6u21eteeq1"
