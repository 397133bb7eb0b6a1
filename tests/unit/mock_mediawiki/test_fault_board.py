"""Which faults strike, with a clock that stands still until it is moved."""

from typing import Any

import pytest

from mock_mediawiki.fault_board import WikiFaultBoard
from mock_mediawiki.faults import fault_reader
from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.history import History, Part, RevisionRange
from revertrisk.wiki.table import WikiTable


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(clock: Clock) -> WikiFaultBoard:
    return WikiFaultBoard(clock)


@pytest.fixture
def history(sample: str, wikis: WikiTable) -> History:
    """Return the history of the sample: revisions 100, 101 and 102 of dewiki."""
    return SampleHistory.read([("de.yaml", sample)], wikis)


def test_seconds_of_invisibility_begin_with_the_first_request(
    board: WikiFaultBoard, clock: Clock, history: History, wikis: WikiTable
) -> None:
    """Each revision has its own beginning, and the end is exact."""
    board.replace(fault_reader(wikis).read({"kind": "invisible", "seconds": 3}))
    moments: list[tuple[float, int, bool]] = []
    for moment, rev_id in ((0.0, 100), (2.9, 100), (2.9, 101), (3.0, 100), (5.8, 101), (5.9, 101)):
        clock.now = 100.0 + moment
        view = board.view(history, "dewiki", [rev_id])
        moments.append((moment, rev_id, view.revision("dewiki", rev_id) is not None))

    assert [is_there for _, _, is_there in moments] == [False, False, False, True, False, True]


def test_a_request_counts_once_however_often_it_names_a_revision(
    board: WikiFaultBoard, history: History, wikis: WikiTable
) -> None:
    """A revision that stands twice in revids has been asked for once."""
    board.replace(fault_reader(wikis).read({"kind": "hide", "parts": ["text"], "after": 1}))

    first = board.view(history, "dewiki", [100, 100]).revision("dewiki", 100)
    second = board.view(history, "dewiki", [100]).revision("dewiki", 100)

    assert first is not None
    assert second is not None
    assert (first.hidden, second.hidden) == (frozenset(), {Part.TEXT})


def test_lists_see_what_is_hidden_and_all_revisions(
    board: WikiFaultBoard, history: History, wikis: WikiTable
) -> None:
    """What is invisible by id is in its page's history, and what is hidden is hidden everywhere."""
    faults: list[Any] = [
        {"kind": "invisible", "requests": 9, "rev_id": 101},
        {"kind": "hide", "parts": ["user", "comment"], "after": 0, "rev_id": 102},
    ]
    board.replace(fault_reader(wikis).read(faults))
    view = board.view(history, "dewiki", [100, 101, 102])
    page = view.page("dewiki", 10)
    assert page is not None
    bounds = RevisionRange(is_newer=True, start=("", 0), end=("~", 0))

    by_page = view.page_revisions(page, bounds, 9)
    by_wiki = view.wiki_revisions("dewiki", bounds, 9)

    assert view.revision("dewiki", 101) is None
    assert [revision.rev_id for revision in by_page] == [100, 101, 102]
    assert [revision.hidden for revision in by_wiki] == [set(), set(), {Part.USER, Part.COMMENT}]
    assert list(view.pages("dewiki")) == [page]
    assert view.default_wiki_id == history.default_wiki_id
    assert view.text(by_page[0]) == "Ein Apfelbaum."
    assert view.page_titled("dewiki", page.title) == page
    assert list(view.changes()) == list(history.changes())
    assert view.preceding(by_page[2], 5) == history.preceding(by_page[2], 5)


def test_what_does_not_exist_is_not_remembered(
    board: WikiFaultBoard, history: History, wikis: WikiTable
) -> None:
    """Asking for revisions that no wiki has uses up neither next nor memory."""
    board.replace(fault_reader(wikis).read({"kind": "invisible", "requests": 1, "next": 1}))

    board.view(history, "dewiki", range(5000, 6000))

    assert board.as_json() == [{"kind": "invisible", "requests": 1, "next": 1, "fired": 0}]
    assert board.view(history, "dewiki", [100]).revision("dewiki", 100) is None
