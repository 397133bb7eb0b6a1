"""Figures of simulated cells with known true values; `make study` runs all of them."""

import pytest

from tests.study.outcomes import LATE, accuracy, detection


def test_figures_are_near_the_truth() -> None:
    """In 60 cells with a third of the reverts after the horizon, no figure is off on average, and intervals hold."""
    for each in accuracy(60, 5_000, 0.3, truth_edits=600_000):
        assert abs(each.mean_error) <= 1, each
        assert each.coverage >= 85, each


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
def test_a_hundred_reports() -> None:
    """Over 100 reports a planted difference is found in at least 90 %, and at most 5 % of what is flagged is false."""
    found = detection(100)
    assert found.found >= 0.9
    assert found.false_among_flagged <= 0.05
