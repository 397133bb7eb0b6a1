"""A figure of a report: its value with interval and number of edits, or the reason why it is not shown."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from revertrisk.reports.intervals import (
    MIN_PAGES,
    Clustered,
    clustered,
    count_pages,
    difference_interval,
    share_interval,
    t_quantile,
)

MIN_EDITS: Final = 30
"""A figure is shown only if at least this many edits were reverted, and at least this many were not."""

DEFINITIONS: Final = {
    "share_reverted": "Share of edits that somebody else than the author reverted within the horizon. If the author "
    "reverted the edit first, or its page was deleted first, the edit does not count as reverted (competing events; "
    "Aalen-Johansen estimate up to the end of the record). If an author is unknown, the revert counts as somebody "
    "else's.",
    "share_reverted_flagged": "Share reverted among the flagged edits. An edit is flagged if its probability is above "
    "the threshold.",
    "recall": "Of the edits that somebody else reverted within the horizon: the share that was flagged.",
    "flagged_not_reverted": "Of the edits that no one else reverted within the horizon: the share that was flagged. An "
    "edit that was not reverted can still be bad: perhaps no one has looked at it.",
    "auc": "Probability that an edit that somebody else reverted within the horizon has a higher score than an edit "
    "that was not reverted; ties count half. Edits that are watched for less than the horizon are represented by those "
    "that are watched longer (inverse probability of censoring weights).",
    "auc_difference": "AUC of the second model minus AUC of the first, on the edits that both have scored.",
    "calibration": "Mean probability and share reverted for each tenth of the edits, ordered by probability. Tenths "
    "with too few edits for a figure are combined.",
    "calibration_gap": "Mean probability minus share reverted. Above 0, the model predicts more reverts than "
    "there are.",
    "share_self_reverted": "Share of edits that their own author reverted first, within the horizon.",
    "share_deleted": "Share of edits whose page was deleted first, within the horizon.",
    "share_revert_reverted": "Of the edits that somebody else reverted within the horizon: the share whose revert was "
    "itself reverted within one more horizon. Only edits that are watched for twice the horizon count.",
    "ratio": "Share for one kind of user divided by the share for registered accounts that are not bots, on one wiki. "
    "For a range of edit counts it is divided by the share for the other registered accounts.",
    "flagged_a_day": "Mean number per day of edits above the threshold, over whole days (UTC). The interval is over "
    "the days.",
    "ended_by": "Share of the flagged edits for which this came first, within the horizon: a revert by a person, by a "
    "bot, by an account that acts on the score, or by the author, or the deletion of the page.",
    "seconds_saved": "Median time from a flagged edit to its revert, over the flagged edits that a person reverted "
    "within the horizon. An immediate revert would save this time.",
    "hours_saved_a_day": "Sum per day of the times from a flagged edit to its revert by a person, in hours.",
    "bots_share": "Share of all reverts that listed bots made, over all days together.",
    "bot_reverts_reverted": "Share of the reverts by listed bots that were themselves reverted, at any time.",
    "share_of_bot_reverts_flagged": "Of the edits that a listed bot reverted and that the model scored: the share with "
    "a probability above the threshold.",
    "share_of_flagged_reverted_by_bots": "Of the edits with a probability above the threshold: the share that a "
    "listed bot reverted within the window.",
    "median_seconds": "Median time from an edit to its first revert, within the window.",
    "precision_by_people": "Share of the flagged edits that people judged to be damaging. Judged edits are weighted so "
    "that they represent all flagged edits.",
}
"""The definition of each measure. Horizon, threshold and number of edits are stated next to each figure."""

RULES: Final = (
    f"Intervals are 95 % intervals, clustered by page. A figure is shown only if at least {MIN_EDITS} edits were "
    f"reverted and {MIN_EDITS} were not, and if at least {MIN_EDITS} edits are as old as the horizon. "
    f"An interval needs at least {MIN_PAGES} effective pages: the squared number of edits divided by the sum of the "
    "squared numbers of each page. If all pages have the same size, all count. If one has half of the edits, fewer "
    "than 4 do."
)
NOT_REVERTED: Final = "An edit that was not reverted can still be bad: perhaps no one has looked at it."

Booleans = NDArray[np.bool_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure. If it is not shown, ``value`` is None and ``note`` says why."""

    measure: str
    """A key of `DEFINITIONS`."""
    value: float | None
    low: float | None
    high: float | None
    """The 95 % interval, clustered by page; None if there are too few effective pages for one."""
    n: int
    """The number of edits behind the figure."""
    reverted: int
    """How many of these somebody else is known to have reverted within the horizon.

    For figures that do not count reverted edits: how many belong to the share that the measure defines.
    """
    pages: int
    effective_pages: float | None = None
    """The number of pages of equal size that would give the same information; None if the figure is not shown."""
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """The numbers of edits behind a figure; they decide whether it is shown."""

    n: int
    reverted: int
    pages: int
    word: str = "reverted"
    """What ``reverted`` counts, for the message."""

    @property
    def too_few(self) -> str | None:
        """The reason why the figure must not be shown; None if there are enough edits."""
        if min(self.reverted, self.n - self.reverted) >= MIN_EDITS:
            return None
        return f"too few (n = {self.n}, {self.reverted} {self.word})"


def share(measure: str, value: float, spread: Clustered, basis: Basis) -> Figure:
    """Return a figure between 0 and 1, or the reason why it is not shown."""
    return _figure(measure, value, spread, basis, is_share=True)


def difference(measure: str, value: float, spread: Clustered, basis: Basis) -> Figure:
    """Return a figure between -1 and 1, or the reason why it is not shown."""
    return _figure(measure, value, spread, basis, is_share=False)


def not_shown(measure: str, basis: Basis, note: str) -> Figure:
    """Return a figure that is not shown, with the reason."""
    return Figure(
        measure=measure,
        value=None,
        low=None,
        high=None,
        n=basis.n,
        reverted=basis.reverted,
        pages=basis.pages,
        note=note,
    )


def share_of_rows(measure: str, part: Booleans, whole: Booleans, pages: Numbers, word: str) -> Figure:
    """Return which share of the rows in ``whole`` is also in ``part``, with its interval clustered by page.

    ``part``, ``whole`` and ``pages`` have one entry for each row, ordered by page. ``word`` says what ``part`` is.
    """
    number, found = int(whole.sum()), int((part & whole).sum())
    basis = Basis(number, found, count_pages(pages[whole]), word)
    value = found / number if number else 0.0
    influence = (part[whole] - value) / max(number, 1)
    return share(measure, value, clustered(influence, pages[whole]), basis)


def median_seconds(measure: str, seconds: NDArray[np.float64], pages: NDArray[Any]) -> Figure:
    """Return the median time of edits, ordered by page; it is not shown for fewer than 30 edits.

    Its interval follows Woodruff (1952): take the 95 % interval of the share of edits below the median, which is a
    half, and return the times at both ends of it. The error of that share is clustered by page.
    """
    number = len(seconds)
    basis = Basis(number, number, count_pages(pages))
    if number < MIN_EDITS:
        return not_shown(measure, basis, f"too few (n = {number})")
    value = float(np.median(seconds))
    spread = clustered(((seconds <= value) - 0.5) / number, pages)
    low, high, note = None, None, _too_few_pages(spread)
    if note is None:
        # Not narrower than for independent edits, whose error is sqrt(1/4 / n).
        half_width = t_quantile(spread.pages) * max(spread.error, 0.5 / number**0.5)
        low, high = map(float, np.quantile(seconds, [max(0.5 - half_width, 0), min(0.5 + half_width, 1)]))
    return Figure(
        measure=measure,
        value=value,
        low=low,
        high=high,
        n=number,
        reverted=number,
        pages=basis.pages,
        effective_pages=spread.pages,
        note=note,
    )


def _figure(measure: str, value: float, spread: Clustered, basis: Basis, *, is_share: bool) -> Figure:
    reason = basis.too_few
    if reason is not None:
        return not_shown(measure, basis, reason)
    low, high, note = None, None, _too_few_pages(spread)
    if note is None:
        low, high = share_interval(value, spread) if is_share else difference_interval(value, spread)
    return Figure(
        measure=measure,
        value=value,
        low=low,
        high=high,
        n=basis.n,
        reverted=basis.reverted,
        pages=basis.pages,
        effective_pages=spread.pages,
        note=note,
    )


def _too_few_pages(spread: Clustered) -> str | None:
    if spread.is_enough:
        return None
    return f"no interval: {spread.pages:.1f} effective pages, {MIN_PAGES} are needed"
