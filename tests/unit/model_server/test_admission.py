"""Places are counted and given back, and one wiki gets a share of them that depends on how many are free."""

from collections import Counter
from contextlib import ExitStack

import pytest

from model_server.admission import Admission
from model_server.errors import OverloadedError


def held(limit: int, wikis: int) -> list[int]:
    """Let that many wikis ask in turn, and never answer, until each is refused; return what each holds."""
    admission = Admission(limit)
    found: Counter[int] = Counter()
    refused: set[int] = set()
    with ExitStack() as stack:
        while len(refused) < wikis:
            for wiki in set(range(wikis)) - refused:
                with ExitStack() as request:
                    try:
                        request.enter_context(admission.request())
                        request.enter_context(admission.wiki(f"wiki{wiki}"))
                    except OverloadedError:
                        refused.add(wiki)
                        continue
                    stack.enter_context(request.pop_all())
                    found[wiki] += 1
    return [found[wiki] for wiki in range(wikis)]


def test_one_too_many_is_refused_until_one_leaves() -> None:
    """The bound is on what is inside, not on what has come."""
    admission = Admission(2)
    with ExitStack() as stack:
        stack.enter_context(admission.request())
        with admission.request(), pytest.raises(OverloadedError), admission.request():
            pass
        stack.enter_context(admission.request())


@pytest.mark.parametrize(
    ("limit", "share"), [(200, 133), (120, 80), (100, 67), (5, 3), (4, 3), (3, 2), (2, 1), (1, 1)]
)
def test_s7_one_wiki_gets_two_thirds_of_the_places(limit: int, share: int) -> None:
    """Of the default 200 more than change-propagation's 80 slots; a server with one place gives it."""
    assert held(limit, wikis=1) == [share]


@pytest.mark.parametrize(
    ("wikis", "shares"), [(2, [80, 80]), (3, [57] * 3), (10, [19] * 10), (40, [5] * 38 + [4] * 2)]
)
def test_s7_wikis_that_hang_share_and_leave_some(wikis: int, shares: list[int]) -> None:
    """Two get two fifths of 200 each, three two sevenths; of the rest another wiki is served."""
    found = held(200, wikis)
    assert sorted(found, reverse=True) == shares
    assert sum(found) < 200


def test_s7_places_that_do_not_ask_the_wiki_count_as_taken() -> None:
    """Requests that score or wait for EventGate leave fewer to be shared."""
    admission = Admission(10)
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(admission.request())
        for _ in range(5):
            stack.enter_context(admission.wiki("enwiki"))
        with pytest.raises(OverloadedError), admission.wiki("enwiki"):
            pass


def test_s7_the_last_place_is_for_any_wiki_that_has_none() -> None:
    """Only where all places are taken is a wiki refused that holds none."""
    admission = Admission(4)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(admission.request())
            stack.enter_context(admission.wiki("enwiki"))
        with admission.request():
            with pytest.raises(OverloadedError, match="this wiki"), admission.wiki("enwiki"):
                pass
            with admission.wiki("dewiki"):
                pass


def test_a_failed_request_gives_its_place_back() -> None:
    """Whatever happens inside."""
    admission = Admission(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="inside"), admission.request(), admission.wiki("enwiki"):
            raise ValueError("inside")
