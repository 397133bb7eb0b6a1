"""Shares and numbers a day of what was counted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from revertrisk.reports import figures
from revertrisk.reports.averages import mode
from revertrisk.reports.days import ADay, mean_a_day
from revertrisk.reports.figures import Basis, Figure
from revertrisk.reports.intervals import count_pages, standard_error

Booleans = NDArray[np.bool_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Daily:
    """A number a day."""

    mean: ADay
    mode: int | None
    """The most frequent number."""


def daily(numbers: Numbers) -> Daily:
    """Return the mean and the mode of the numbers of each day."""
    return Daily(mean_a_day(numbers), mode(numbers))


def share_of(measure: str, part: Booleans, whole: Booleans, pages: Numbers, word: str) -> Figure:
    """Return the share of some rows that are also others, with its interval clustered by page."""
    number, found = int(whole.sum()), int((part & whole).sum())
    basis = Basis(number, found, count_pages(pages[whole]), word)
    value = found / number if number else 0.0
    influence = (part[whole] - value) / max(number, 1)
    return figures.share(measure, value, standard_error(influence, pages[whole]), basis)
