"""Figures of simulated cells with known true values; `make study` runs all of them."""

import pytest

from tests.study.outcomes import LATE, PAGES, accuracy, detection


def test_figures_are_near_the_truth() -> None:
    """In 60 cells with a third of the reverts after the horizon, no figure is off on average, and intervals hold."""
    for each in accuracy(60, 5_000, 0.3, truth_edits=600_000):
        assert abs(each.mean_error) <= 1, each
        assert each.coverage >= 85, each


def test_pages_of_unequal_size() -> None:
    """Edits of 1,000 pages by Zipf's law, of which the largest has 13 %. Not all figures have an interval."""
    for each in accuracy(60, 5_000, 0.3, truth_edits=600_000, sizes=PAGES["1,000 pages by Zipf's law"]):
        assert abs(each.mean_error) <= 1.5, each
        assert each.shown >= 50, each
        assert each.coverage >= 85, each


def test_a_page_with_a_third_of_the_edits() -> None:
    """No interval of a figure that divides by all edits, or by those that were not reverted."""
    found = accuracy(20, 5_000, 0.3, truth_edits=600_000, sizes=PAGES["one page has 30 %"])
    shown = {each.measure: each.shown for each in found}
    assert (shown["share_reverted"], shown["flagged_not_reverted"]) == (0, 0)


def test_a_planted_difference_is_found() -> None:
    """Temporary accounts that are reverted twice as often on one of three wikis are found, and little else."""
    found = detection(8)
    assert (found.found, found.false_among_flagged) == (1, pytest.approx(0, abs=0.2))


@pytest.mark.ci("simulations")
@pytest.mark.parametrize("late", LATE)
def test_a_thousand_cells(late: float) -> None:
    """The mean error of each figure is within a point; 93 to 97 % of the intervals of the share reverted hold it."""
    found = {each.measure: each for each in accuracy(1_000, 5_000, late)}
    assert all(abs(each.mean_error) <= 1 for each in found.values())
    assert 93 <= found["share_reverted"].coverage <= 97
    assert all(92 <= each.coverage <= 98 for each in found.values())


@pytest.mark.ci("simulations")
@pytest.mark.parametrize(
    "sizes", ["1,000 pages by Zipf's law", "one page has 10 %", "60 pages of equal size"]
)
def test_a_thousand_cells_of_unequal_pages(sizes: str) -> None:
    """93 to 98 % of the intervals that are shown contain the true value, for each figure."""
    for each in accuracy(1_000, 5_000, 0.3, sizes=PAGES[sizes]):
        assert 93 <= each.coverage <= 98, each


@pytest.mark.ci("simulations")
def test_a_hundred_reports() -> None:
    """Over 100 reports a planted difference is found in at least 90 %, and at most 5 % of what is flagged is false."""
    found = detection(100)
    assert found.found >= 0.9
    assert found.false_among_flagged <= 0.05
