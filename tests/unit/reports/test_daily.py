import numpy as np
import pytest

from revertrisk.reports.daily import (
    count_by_day,
    daily_mean_of,
    mean_of_daily_shares,
    mean_over_cells,
    mode,
    ratio_of_sums,
    whole_days,
)


def test_the_published_shares_need_two_rules() -> None:
    """846 of 1,666 reverts a day are 50.8 %; 49.7 % is the mean of daily shares, unweighted."""
    whole, bot = np.array([2332, 1000]), np.array([1244, 448])
    assert (whole.mean(), bot.mean()) == (1666, 846)
    assert ratio_of_sums(bot, whole) == pytest.approx(0.508, abs=5e-4)
    assert mean_of_daily_shares(bot, whole, bot) == pytest.approx((1244 / 2332 + 448 / 1000) / 2)
    assert mean_of_daily_shares(bot, whole, bot) == pytest.approx(0.491, abs=5e-4)


def test_days_without_a_bot_revert() -> None:
    """The notebook's rule leaves them out; the ratio of sums and the numbers a day do not."""
    whole, bot = np.array([10, 10, 20]), np.array([5, 0, 5])
    assert mean_of_daily_shares(bot, whole, bot) == pytest.approx((0.5 + 0.25) / 2)
    assert ratio_of_sums(bot, whole) == 0.25
    none = np.array([0, 0])
    assert (ratio_of_sums(none, none), mean_of_daily_shares(none, none, none)) == (None, None)


def test_mean_over_cells() -> None:
    """Cells of fewer than 50 days do not count, and large cells have the same weight as small ones."""
    assert mean_over_cells([(50, 1, 10), (200, 300, 1000), (49, 9, 10)]) == pytest.approx(0.2)
    assert mean_over_cells([(49, 9, 10)]) is None


def test_mode() -> None:
    """The most frequent number, the smallest of several."""
    assert mode(np.array([3, 3, 1, 1, 7])) == 1
    assert mode(np.array([], dtype=np.int64)) is None


def test_days() -> None:
    """Days without any count as 0; the first and the last day of a record are not whole and are left out."""
    days = np.array([10, 12, 12, 15])
    assert count_by_day(days, (10, 15)).tolist() == [1, 0, 2, 0, 0, 1]
    assert whole_days(days) == (11, 14)
    assert whole_days(np.array([3, 4])) == (3, 4)
    few = daily_mean_of(days, None, (11, 14))
    assert (few.value, few.low, few.days, few.median) == (0.5, None, 4, 0)
    many = daily_mean_of(np.repeat(np.arange(20), np.arange(20)), None, (0, 19))
    assert many.low is not None
    assert many.high is not None
    assert many.low < many.value == 9.5 < many.high
