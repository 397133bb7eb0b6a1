"""Intervals beside oracles: Wilson's, the jackknife over pages by plain loops, and simulated pages of unequal size."""

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from revertrisk.reports.figures import Basis, share, share_of_rows
from revertrisk.reports.intervals import MIN_PAGES, clustered, share_interval
from tests.study.outcomes import share_coverage

Rows = NDArray[np.bool_]


def rows(sizes: list[int], events: list[int]) -> tuple[NDArray[np.int64], Rows]:
    """Return the page of each edit and whether the event happened to it, from both numbers of each page."""
    page = np.repeat(np.arange(len(sizes)), sizes)
    return page, np.concatenate([np.arange(n) < e for n, e in zip(sizes, events, strict=True)])


def test_the_error_is_that_of_the_jackknife_over_pages() -> None:
    """Leave out each page in turn: for a share of all edits, and for a share of some of them on each page."""
    chance = np.random.default_rng(1)
    page = np.repeat(np.arange(30), chance.integers(1, 60, 30))
    part, whole = chance.random(len(page)) < 0.3, chance.random(len(page)) < 0.7
    for members in (np.ones(len(page), dtype=np.bool_), whole):
        value = part[members].mean()
        left_out = [part[members & (page != each)].mean() for each in range(30)]
        wanted = np.sqrt(29 / 30 * ((np.array(left_out) - value) ** 2).sum())
        influence = np.where(members, (part - value) / members.sum(), 0.0)
        assert clustered(influence, page, members).error == pytest.approx(wanted, rel=1e-9)


def test_effective_pages() -> None:
    """Pages of equal size count fully. If one page has half of the edits, there are less than four."""
    page, _ = rows([7] * 40, [0] * 40)
    assert clustered(np.zeros(len(page)), page).pages == pytest.approx(40)
    page, _ = rows([400, *[1] * 400], [0] * 401)
    assert clustered(np.zeros(len(page)), page).pages == pytest.approx(800**2 / (400**2 + 400))
    both = clustered(np.zeros(len(page)), page, page == 0, page > 0)
    assert (both.pages, both.edits) == (1, 800)


def test_it_is_never_narrower_than_wilsons() -> None:
    """Pages that are more alike than chance allows do not make an estimate more certain than independent edits."""
    page, event = rows([10] * 100, [2] * 100)
    found = share_of_rows("bots_share", event, np.ones(len(page), dtype=np.bool_), page, "by bots")
    low, high = proportion_confint(200, 1_000, method="wilson")
    assert found.low is not None
    assert found.high is not None
    assert (found.low, found.high) == (pytest.approx(low, rel=5e-3), pytest.approx(high, rel=5e-3))
    assert found.high - found.low >= high - low


def test_no_event_and_one_event_rest_on_the_same_number_of_edits() -> None:
    """With fewer than 30 events their correlation is not estimated but assumed, so that one event changes little."""
    sizes = [20] * 100
    ends = []
    for events in (0, 1, 2):
        page, event = rows(sizes, [1] * events + [0] * (100 - events))
        value = event.mean()
        ends.append(share_interval(float(value), clustered((event - value) / 2_000, page)))
    lows, highs = zip(*ends, strict=True)
    assert lows[0] == 0 < lows[1] < lows[2]
    assert 0.0015 < highs[0] < highs[1] < highs[2] < 0.01


@pytest.mark.parametrize("largest", [0.3, 0.5, 0.79])
def test_no_interval_where_one_page_dominates(largest: float) -> None:
    """If a page has 30 % of the edits or more, the figure has no interval and says how many pages count."""
    other = 100
    page, event = rows([round(largest / (1 - largest) * other * 20), *[20] * other], [400, *[2] * other])
    value = float(event.mean())
    spread = clustered((event - value) / len(page), page)
    assert spread.pages < MIN_PAGES
    figure = share("share_reverted", value, spread, Basis(len(page), int(event.sum()), other + 1))
    assert (figure.value, figure.low, figure.high) == (value, None, None)
    assert figure.note == f"no interval: {spread.pages:.1f} effective pages, {MIN_PAGES} are needed"


@pytest.mark.parametrize("sizes", ["20 pages of equal size", "200 pages by Zipf's law", "one page has 20 %"])
@pytest.mark.parametrize("correlation", [0.0, 0.1])
def test_intervals_hold_the_truth_for_unequal_pages(sizes: str, correlation: float) -> None:
    """600 simulated shares for each kind of page sizes: 95 % of the intervals contain the true value."""
    found = share_coverage(sizes, 600, share=0.08, icc=correlation)
    assert found.shown == 1
    assert 0.92 <= found.coverage <= 0.985, found
