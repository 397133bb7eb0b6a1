"""The figures of one cell: a set of edits, one horizon, several thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from revertrisk.reports import figures
from revertrisk.reports.estimators import (
    COMPETING,
    OF_INTEREST,
    OPEN,
    area_under_curve,
    cumulative_incidence,
)
from revertrisk.reports.figures import MIN_EDITS, Basis, Figure
from revertrisk.reports.intervals import clustered, count_pages
from revertrisk.reports.watched import ANYONE, Booleans, Cause, Floats, Watched

BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Ends:
    """When and why the watching of each edit ended; arrays of equal length, ordered by page."""

    page: NDArray[np.int64]
    probability: Floats
    age: Floats
    """Seconds from the edit to the end of the record."""
    seconds: Floats
    """Seconds that the edit was watched: to the event that came first, or to the end of the record."""
    cause: NDArray[np.int8]
    """A `Cause` for each edit."""

    @classmethod
    def of(cls, watched: Watched) -> "Ends":
        """Return when and why the watching of edits ended."""
        return cls(watched.page, watched.probability, watched.age, *watched.ends())

    def __len__(self) -> int:
        """Return the number of edits."""
        return len(self.page)

    def part(self, members: Booleans) -> "Ends":
        """Return the edits that a mask selects."""
        return Ends(
            self.page[members],
            self.probability[members],
            self.age[members],
            self.seconds[members],
            self.cause[members],
        )

    def states(self, of_interest: Sequence[Cause]) -> NDArray[np.int8]:
        """Return for each edit `OPEN`, `OF_INTEREST` or `COMPETING`, given the causes that are of interest."""
        states = np.where(self.cause == Cause.OPEN, OPEN, COMPETING).astype(np.int8)
        states[np.isin(self.cause, of_interest)] = OF_INTEREST
        return states


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """The outcomes of the edits with a score above a threshold."""

    threshold: float
    flagged: int
    share_reverted_flagged: Figure
    recall: Figure
    flagged_not_reverted: Figure


@dataclass(frozen=True, slots=True)
class ReverterFigures:
    """Figures that count only the reverts by some accounts; reverts by other accounts are competing events."""

    share_reverted: Figure
    thresholds: tuple[AtThreshold, ...]


@dataclass(frozen=True, slots=True)
class Bin:
    """A group of edits with similar probabilities: a tenth of all, or more if a figure needs more."""

    mean_probability: float
    share_reverted: Figure


@dataclass(frozen=True, slots=True)
class ScoreQuality:
    """How well the probabilities separate the edits (AUC), and how close they are to the share reverted."""

    auc: Figure
    calibration_gap: Figure
    calibration: tuple[Bin, ...]


def basis_of(ends: Ends, horizon: float, of_interest: Sequence[Cause] = ANYONE) -> Basis:
    """Return the numbers of edits that a figure is computed from."""
    reverted = int(np.count_nonzero(np.isin(ends.cause, of_interest) & (ends.seconds <= horizon)))
    return Basis(len(ends), reverted, count_pages(ends.page))


def too_young(ends: Ends, horizon: float) -> str | None:
    """Return why there can be no figure for a horizon yet; None if there can be one.

    At least 30 edits must be as old as the horizon, and at least 30 must be known not to be reverted within it. Without
    the second rule the estimate would be 100 % if all edits that are old enough are reverted ones, whatever happens to
    the younger ones.
    """
    old = int(np.count_nonzero(ends.age >= horizon))
    if old < MIN_EDITS:
        return f"too young: {old} edits are as old as the horizon, {MIN_EDITS} are needed"
    ended = (ends.cause != Cause.OPEN) & (ends.seconds <= horizon)
    by_others = ended & np.isin(ends.cause, ANYONE)
    known = int(np.count_nonzero((ended & ~by_others) | (~ended & (ends.age >= horizon))))
    if known < MIN_EDITS:
        return f"too young: {known} edits are known not to be reverted within the horizon, {MIN_EDITS} are needed"
    return None


def cause_share(ends: Ends, horizon: float, measure: str, causes: Sequence[Cause]) -> Figure:
    """Return the share of edits for which one of ``causes`` came first, within the horizon.

    Whether the share is shown depends on the number of edits reverted by anyone. So either all parts of a sum are shown
    or none.
    """
    basis = basis_of(ends, horizon)
    problem = basis.too_few or too_young(ends, horizon)
    if problem is not None:
        return figures.not_shown(measure, basis, problem)
    found = cumulative_incidence(ends.seconds, ends.states(causes), horizon)
    return figures.share(measure, found.value, clustered(found.influence, ends.page), basis)


def reverter_figures(
    ends: Ends, horizon: float, thresholds: Sequence[float], of_interest: Sequence[Cause] = ANYONE
) -> ReverterFigures:
    """Return the share of edits reverted by some accounts, and the figures at each threshold."""
    basis = basis_of(ends, horizon, of_interest)
    problem = basis.too_few or too_young(ends, horizon)
    if problem is not None:
        share = figures.not_shown("share_reverted", basis, problem)
        return ReverterFigures(share, tuple(_not_shown(ends, each, basis, problem) for each in thresholds))
    states = ends.states(of_interest)
    found = cumulative_incidence(ends.seconds, states, horizon)
    share = figures.share("share_reverted", found.value, clustered(found.influence, ends.page), basis)
    at = tuple(
        _at_threshold(ends, states, horizon, each, basis, found.value, found.influence) for each in thresholds
    )
    return ReverterFigures(share, at)


def _at_threshold(  # noqa: PLR0913, PLR0917 - the cell, and its figures without a threshold
    ends: Ends,
    states: NDArray[Any],
    horizon: float,
    threshold: float,
    basis: Basis,
    share: float,
    influence: Floats,
) -> AtThreshold:
    above = ends.probability > threshold
    flagged = int(above.sum())
    reverted: Booleans = (states == OF_INTEREST) & (ends.seconds <= horizon)
    flagged_basis = Basis(flagged, int((reverted & above).sum()), count_pages(ends.page[above]))
    if not flagged:
        nothing = figures.not_shown("share_reverted_flagged", flagged_basis, "no edit is flagged")
        zeros = np.zeros(len(ends))
        zero = (
            figures.share("recall", 0.0, clustered(zeros, ends.page, reverted), basis),
            figures.share("flagged_not_reverted", 0.0, clustered(zeros, ends.page, ~reverted), basis),
        )
        return AtThreshold(threshold, 0, nothing, *zero)
    found = cumulative_incidence(ends.seconds[above], states[above], horizon)
    of_flagged = figures.share(
        "share_reverted_flagged",
        found.value,
        clustered(found.influence, ends.page[above]),
        flagged_basis,
    )
    # Recall and flagged_not_reverted are ratios of shares of all edits: "flagged and reverted" over "reverted", and
    # "flagged and not reverted" over "not reverted". Their influences follow from the rules for products and quotients.
    part = flagged / len(ends)
    weight = (above - part) / len(ends)
    inner = np.zeros(len(ends))
    inner[above] = found.influence
    both = part * found.value
    both_influence = part * inner + found.value * weight
    recall = both / share
    recall_influence = (both_influence - recall * influence) / share
    rest = part - both
    not_reverted = rest / (1 - share)
    not_reverted_influence = (weight - both_influence + not_reverted * influence) / (1 - share)
    return AtThreshold(
        threshold,
        flagged,
        of_flagged,
        figures.share("recall", recall, clustered(recall_influence, ends.page, reverted), basis),
        figures.share(
            "flagged_not_reverted",
            not_reverted,
            clustered(not_reverted_influence, ends.page, ~reverted),
            basis,
        ),
    )


def score_quality(ends: Ends, horizon: float) -> ScoreQuality:
    """Return AUC and calibration of the probabilities."""
    basis = basis_of(ends, horizon)
    problem = basis.too_few or too_young(ends, horizon)
    if problem is not None:
        gap = figures.not_shown("calibration_gap", basis, problem)
        return ScoreQuality(figures.not_shown("auc", basis, problem), gap, ())
    states = ends.states(ANYONE)
    ranked = area_under_curve(ends.probability, ends.seconds, states, ends.age, horizon)
    reverted: Booleans = (states == OF_INTEREST) & (ends.seconds <= horizon)
    auc = figures.share(
        "auc", ranked.value, clustered(ranked.influence, ends.page, reverted, ~reverted), basis
    )
    found = cumulative_incidence(ends.seconds, states, horizon)
    mean = float(ends.probability.mean())
    influence = (ends.probability - mean) / len(ends) - found.influence
    gap = figures.difference("calibration_gap", mean - found.value, clustered(influence, ends.page), basis)
    return ScoreQuality(auc, gap, tuple(_bins(ends, horizon)))


def _bins(ends: Ends, horizon: float) -> list[Bin]:
    """Divide the edits into tenths by probability.

    A tenth with too few edits for a figure is combined with the next higher one, and the last one with the one below.
    """
    order = np.argsort(ends.probability, kind="stable")
    place = np.empty(len(ends), dtype=np.int64)
    place[order] = np.arange(len(ends)) * BINS // len(ends)
    wanted = np.isin(ends.cause, ANYONE) & (ends.seconds <= horizon)
    sizes, reverted = np.bincount(place, minlength=BINS), np.bincount(place[wanted], minlength=BINS)
    groups: list[list[int]] = [[]]
    for number in range(BINS):
        groups[-1].append(number)
        if Basis(int(sizes[groups[-1]].sum()), int(reverted[groups[-1]].sum()), 0).too_few is None:
            groups.append([])
    rest = groups.pop()  # the highest tenths, if they are too few for a figure
    if groups:
        groups[-1] += rest
    else:
        groups = [rest]
    parts = [ends.part(np.isin(place, group)) for group in groups]
    return [
        Bin(float(part.probability.mean()), reverter_figures(part, horizon, ()).share_reverted)
        for part in parts
    ]


def _not_shown(ends: Ends, threshold: float, basis: Basis, problem: str) -> AtThreshold:
    flagged = int((ends.probability > threshold).sum())
    return AtThreshold(
        threshold,
        flagged,
        *(
            figures.not_shown(name, basis, problem)
            for name in ("share_reverted_flagged", "recall", "flagged_not_reverted")
        ),
    )
