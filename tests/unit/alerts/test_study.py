"""One cell of `make study`: the budget is kept on counts that vary more than Poisson; Poisson thresholds break it."""

import pytest

from tests.study.surge import Cell, delays, false_starts

pytestmark = [pytest.mark.ci("study"), pytest.mark.timeout(900)]

CELL = Cell(5.0, 0.05, 0.95)
WIKIS = 12
LEAST, MOST = 0.5, 2.0


def test_the_budget_is_kept() -> None:
    """False starts are 0.5 to 2 times what a budget of 30 days allows, with parameters that the tool did not know."""
    (ratio,) = false_starts(CELL, WIKIS, [30.0])
    assert LEAST <= ratio <= MOST


def test_poisson_thresholds_do_not_keep_it() -> None:
    """The same counts with thresholds for Poisson counts have far more: the test above can fail."""
    (ratio,) = false_starts(CELL, WIKIS, [30.0], poisson=True)
    assert ratio > 10 * MOST


def test_surges_are_found_as_soon_as_can_be() -> None:
    """At 5 edits a minute, Poisson, twice and three times the usual are found in 8 and 4 minutes at the median."""
    for ratio, aim in ((2.0, 6), (3.0, 3)):
        median, in_an_hour, _ = delays(Cell(5.0, 0.0, 0.0), WIKIS, ratio, watched_days=10)
        assert median <= 1.3 * aim
        assert in_an_hour > 0.95
