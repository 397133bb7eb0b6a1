"""The figures of one cell: some edits, one horizon, some thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from revertrisk.reports import figures
from revertrisk.reports.figures import LEAST, Basis, Figure
from revertrisk.reports.incidence import COMPETING, OF_INTEREST, OPEN, cumulative_incidence
from revertrisk.reports.intervals import count_pages, standard_error
from revertrisk.reports.ranking import ranking
from revertrisk.reports.watched import ANYBODY, Booleans, Cause, Floats, Watched

BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Ends:
    """How the watch over each edit ended; arrays of equal length, in the order of the edits' pages."""

    page: NDArray[np.int64]
    probability: Floats
    age: Floats
    seconds: Floats
    cause: NDArray[np.int8]

    @classmethod
    def of(cls, watched: Watched) -> "Ends":
        """Return how the watch over edits ended."""
        return cls(watched.page, watched.probability, watched.age, *watched.ends())

    def __len__(self) -> int:
        """Return how many edits there are."""
        return len(self.page)

    def part(self, members: Booleans) -> "Ends":
        """Return some of the edits."""
        return Ends(
            self.page[members],
            self.probability[members],
            self.age[members],
            self.seconds[members],
            self.cause[members],
        )

    def states(self, of_interest: Sequence[Cause]) -> NDArray[np.int8]:
        """Return for each edit whether it is open, or which kind of event ended it."""
        states = np.where(self.cause == Cause.OPEN, OPEN, COMPETING).astype(np.int8)
        states[np.isin(self.cause, of_interest)] = OF_INTEREST
        return states


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What became of the edits that score above a threshold."""

    threshold: float
    flagged: int
    share_reverted_flagged: Figure
    recall: Figure
    flagged_not_reverted: Figure


@dataclass(frozen=True, slots=True)
class ReverterFigures:
    """Figures where only the reverts of some accounts count; those of the others are competing events."""

    share_reverted: Figure
    thresholds: tuple[AtThreshold, ...]


@dataclass(frozen=True, slots=True)
class Bin:
    """Some of the edits, by probability: a tenth, or as many as a figure needs."""

    mean_probability: float
    share_reverted: Figure


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well the probabilities tell the edits apart, and how well they are meant."""

    auc: Figure
    calibration_gap: Figure
    calibration: tuple[Bin, ...]


def basis_of(ends: Ends, horizon: float, of_interest: Sequence[Cause] = ANYBODY) -> Basis:
    """Return how many edits a figure stands on."""
    reverted = int(np.count_nonzero(np.isin(ends.cause, of_interest) & (ends.seconds <= horizon)))
    return Basis(len(ends), reverted, count_pages(ends.page))


def too_young(ends: Ends, horizon: float) -> str | None:
    """Return why a horizon cannot be reported on yet; None where it can.

    30 edits must have been watched for as long, and 30 be known not to have been reverted: where only reverted edits
    are old enough, the estimate is 100 % whatever the younger ones will do.
    """
    old = int(np.count_nonzero(ends.age >= horizon))
    if old < LEAST:
        return f"too young: {old} edits are as old as the horizon, {LEAST} are needed"
    ended = (ends.cause != Cause.OPEN) & (ends.seconds <= horizon)
    by_others = ended & np.isin(ends.cause, ANYBODY)
    known = int(np.count_nonzero((ended & ~by_others) | (~ended & (ends.age >= horizon))))
    if known < LEAST:
        return f"too young: {known} edits are known not to be reverted within the horizon, {LEAST} are needed"
    return None


def cause_share(ends: Ends, horizon: float, measure: str, causes: Sequence[Cause]) -> Figure:
    """Return the share of edits whose watch ended by one of some causes within the horizon.

    Whether it is shown depends on the edits reverted by anybody, so that parts of a sum are shown together.
    """
    basis = basis_of(ends, horizon)
    problem = basis.refusal or too_young(ends, horizon)
    if problem is not None:
        return figures.refused(measure, basis, problem)
    found = cumulative_incidence(ends.seconds, ends.states(causes), horizon)
    return figures.share(measure, found.value, standard_error(found.influence, ends.page), basis)


def reverter_figures(
    ends: Ends, horizon: float, thresholds: Sequence[float], of_interest: Sequence[Cause] = ANYBODY
) -> ReverterFigures:
    """Return the share reverted by some accounts, and what a threshold finds of it."""
    basis = basis_of(ends, horizon, of_interest)
    problem = basis.refusal or too_young(ends, horizon)
    if problem is not None:
        share = figures.refused("share_reverted", basis, problem)
        return ReverterFigures(share, tuple(_refused(ends, each, basis, problem) for each in thresholds))
    states = ends.states(of_interest)
    found = cumulative_incidence(ends.seconds, states, horizon)
    share = figures.share("share_reverted", found.value, standard_error(found.influence, ends.page), basis)
    at = tuple(
        _at_threshold(ends, states, horizon, each, basis, found.value, found.influence) for each in thresholds
    )
    return ReverterFigures(share, at)


def _at_threshold(  # noqa: PLR0913, PLR0917 - the cell, and what is known of it already
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
    wanted = (states == OF_INTEREST) & (ends.seconds <= horizon) & above
    flagged_basis = Basis(flagged, int(wanted.sum()), count_pages(ends.page[above]))
    if not flagged:
        nothing = figures.refused("share_reverted_flagged", flagged_basis, "no edit is flagged")
        zero = (
            figures.share("recall", 0.0, 0.0, basis),
            figures.share("flagged_not_reverted", 0.0, 0.0, basis),
        )
        return AtThreshold(threshold, 0, nothing, *zero)
    found = cumulative_incidence(ends.seconds[above], states[above], horizon)
    of_flagged = figures.share(
        "share_reverted_flagged",
        found.value,
        standard_error(found.influence, ends.page[above]),
        flagged_basis,
    )
    # Shares of all edits, by the derivative of a product: flagged and reverted, flagged and not.
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
        figures.share("recall", recall, standard_error(recall_influence, ends.page), basis),
        figures.share(
            "flagged_not_reverted", not_reverted, standard_error(not_reverted_influence, ends.page), basis
        ),
    )


def ranking_figures(ends: Ends, horizon: float) -> Ranking:
    """Return AUC and calibration."""
    basis = basis_of(ends, horizon)
    problem = basis.refusal or too_young(ends, horizon)
    if problem is not None:
        gap = figures.refused("calibration_gap", basis, problem)
        return Ranking(figures.refused("auc", basis, problem), gap, ())
    states = ends.states(ANYBODY)
    ranked = ranking(ends.probability, ends.seconds, states, ends.age, horizon)
    auc = figures.share("auc", ranked.value, standard_error(ranked.influence, ends.page), basis)
    found = cumulative_incidence(ends.seconds, states, horizon)
    mean = float(ends.probability.mean())
    influence = (ends.probability - mean) / len(ends) - found.influence
    gap = figures.difference(
        "calibration_gap", mean - found.value, standard_error(influence, ends.page), basis
    )
    return Ranking(auc, gap, tuple(_bins(ends, horizon)))


def _bins(ends: Ends, horizon: float) -> list[Bin]:
    """Divide into tenths by probability; one with too few edits for a figure joins the one above, the last below."""
    order = np.argsort(ends.probability, kind="stable")
    place = np.empty(len(ends), dtype=np.int64)
    place[order] = np.arange(len(ends)) * BINS // len(ends)
    wanted = np.isin(ends.cause, ANYBODY) & (ends.seconds <= horizon)
    sizes, reverted = np.bincount(place, minlength=BINS), np.bincount(place[wanted], minlength=BINS)
    groups: list[list[int]] = [[]]
    for number in range(BINS):
        groups[-1].append(number)
        if Basis(int(sizes[groups[-1]].sum()), int(reverted[groups[-1]].sum()), 0).refusal is None:
            groups.append([])
    rest = groups.pop()
    if groups:
        groups[-1] += rest
    else:
        groups = [rest]
    parts = [ends.part(np.isin(place, group)) for group in groups]
    return [
        Bin(float(part.probability.mean()), reverter_figures(part, horizon, ()).share_reverted)
        for part in parts
    ]


def _refused(ends: Ends, threshold: float, basis: Basis, problem: str) -> AtThreshold:
    flagged = int((ends.probability > threshold).sum())
    return AtThreshold(
        threshold,
        flagged,
        *(
            figures.refused(name, basis, problem)
            for name in ("share_reverted_flagged", "recall", "flagged_not_reverted")
        ),
    )
