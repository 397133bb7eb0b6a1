"""The outcomes of predictions: for each model version, wiki and kind of user, at thresholds and horizons."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from revertrisk.reports import figures
from revertrisk.reports.cell import (
    Ends,
    ReverterFigures,
    ScoreQuality,
    basis_of,
    cause_share,
    reverter_figures,
    score_quality,
    too_young,
)
from revertrisk.reports.differences import Compared, Difference, differences
from revertrisk.reports.estimators import OF_INTEREST, area_under_curve
from revertrisk.reports.figures import Basis, Figure
from revertrisk.reports.intervals import clustered, count_pages
from revertrisk.reports.lake_edits import ModelVersion, Scored
from revertrisk.reports.matured import matured
from revertrisk.reports.watched import (
    ANYONE,
    NOT_ACTING,
    PEOPLE,
    REGISTERED,
    USER_KINDS,
    Booleans,
    Cause,
    Floats,
    Watched,
)

ALL: Final = "all"
ALL_REGISTERED: Final = "registered"
HORIZONS: Final = (48 * 3600.0, 7 * 86_400.0, 30 * 86_400.0)
"""In seconds."""
THRESHOLDS: Final = (0.65, 0.87)
"""The thresholds at which users of Automoderator found about 10 % and 1 % of errors (T385102)."""
REVERTERS: Final = {
    "anyone": ANYONE,
    "not_acting_on_the_score": NOT_ACTING,
    "people": PEOPLE,
}
"""Whose reverts count. Reverts by other accounts are competing events."""


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The options of the report."""

    thresholds: Sequence[float] = THRESHOLDS
    horizons: Sequence[float] = HORIZONS
    """In seconds."""
    is_matured: bool = False
    """Only edits that are older than the horizon, labelled as for training."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Edits that figures do not count as reverted, or do not count at all."""

    share_self_reverted: Figure
    share_deleted: Figure
    share_revert_reverted: Figure
    open: int
    """How many edits are younger than the horizon and nothing has happened to them yet."""
    without_label: Mapping[str, int] | None
    """How many edits have no label, by reason; None if labels are not used."""


@dataclass(frozen=True, slots=True)
class AtHorizon:
    """The figures of a cell at one horizon."""

    horizon_s: float
    n: int
    reverters: Mapping[str, ReverterFigures]
    """By the keys of `REVERTERS`."""
    quality: ScoreQuality
    left_out: LeftOut


@dataclass(frozen=True, slots=True)
class Cell:
    """The edits of a wiki and kind of user. `ALL` stands for all wikis, or for all kinds."""

    wiki_id: str
    kind: str
    n: int
    horizons: tuple[AtHorizon, ...]


@dataclass(frozen=True, slots=True)
class ModelOutcomes:
    """The outcomes of the predictions of one model version."""

    model: ModelVersion
    n: int
    unrecorded: int
    """How many predictions are for edits without a page_change event in the lake. No figure includes them."""
    cells: tuple[Cell, ...]
    differences: tuple[Difference, ...]
    """Differences between kinds of users, at the first horizon."""

    def cell(self, wiki_id: str = ALL, kind: str = ALL) -> Cell | None:
        """Return the cell of a wiki and kind of user; None if it has no edits."""
        return next((each for each in self.cells if (each.wiki_id, each.kind) == (wiki_id, kind)), None)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two model versions, compared on the edits that both scored."""

    first: tuple[str, str]
    """The name and the version of the first model; ``second`` is the same for the second model."""
    second: tuple[str, str]
    wiki_id: str
    horizon_s: float
    n: int
    first_auc: Figure
    second_auc: Figure
    auc_difference: Figure


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The whole report."""

    options: ReportOptions
    models: tuple[ModelOutcomes, ...]
    pairs: tuple[Pair, ...]


def outcomes(scored: Sequence[Scored], options: ReportOptions) -> Outcomes:
    """Make the report from the edits that each model version scored."""
    models = tuple(_model(each, options) for each in scored)
    pairs = tuple(
        pair for first, second in combinations(scored, 2) for pair in _pairs(first, second, options.horizons)
    )
    return Outcomes(options, models, pairs)


def wiki_slices(watched: Watched) -> Iterator[tuple[str, slice]]:
    """Yield each wiki that has edits, with the slice of the arrays that has its edits."""
    ends = np.searchsorted(watched.wiki, np.arange(len(watched.wikis) + 1))
    for wiki_id, begin, end in zip(watched.wikis, ends, ends[1:], strict=False):
        if begin < end:
            yield wiki_id, slice(begin, end)


def _model(scored: Scored, options: ReportOptions) -> ModelOutcomes:
    watched = scored.watched
    parts = {wiki_id: watched.part(place) for wiki_id, place in wiki_slices(watched)}
    by_wiki = parts if len(parts) == 1 else {ALL: watched, **parts}
    cells = tuple(
        _cell(wiki_id, kind, part, options)
        for wiki_id, whole in by_wiki.items()
        for kind, part in _kinds(whole)
    )
    compared = [Compared(wiki_id, part.kind, Ends.of(part)) for wiki_id, part in parts.items()]
    horizon = options.horizons[0]
    found = [each for limit in (None, *options.thresholds) for each in differences(compared, horizon, limit)]
    return ModelOutcomes(scored.model, len(watched), int(scored.unrecorded.sum()), cells, tuple(found))


def _kinds(watched: Watched) -> Iterator[tuple[str, Watched]]:
    yield ALL, watched
    registered: Booleans = np.isin(watched.kind, REGISTERED)
    if registered.any():
        yield ALL_REGISTERED, watched.part(registered)
    for number, name in enumerate(USER_KINDS):
        members: Booleans = watched.kind == number
        if members.any():
            yield name, watched.part(members)


def _cell(wiki_id: str, kind: str, watched: Watched, options: ReportOptions) -> Cell:
    ends = Ends.of(watched)
    at = tuple(_at_horizon(watched, ends, horizon, options) for horizon in options.horizons)
    return Cell(wiki_id, kind, len(watched), at)


def _at_horizon(watched: Watched, ends: Ends, horizon: float, options: ReportOptions) -> AtHorizon:
    without_label = None
    if options.is_matured:
        known = matured(watched, horizon)
        ends, without_label = known.ends, known.left_out
    return AtHorizon(
        horizon,
        len(ends),
        {
            name: reverter_figures(ends, horizon, options.thresholds, causes)
            for name, causes in REVERTERS.items()
        },
        score_quality(ends, horizon),
        LeftOut(
            cause_share(ends, horizon, "share_self_reverted", [Cause.SELF_REVERTED]),
            cause_share(ends, horizon, "share_deleted", [Cause.DELETED]),
            _share_revert_reverted(watched, horizon),
            int(np.count_nonzero((ends.cause == Cause.OPEN) & (ends.age < horizon))),
            without_label,
        ),
    )


def _share_revert_reverted(watched: Watched, horizon: float) -> Figure:
    members = (
        (watched.age >= 2 * horizon)
        & (watched.revert_after <= horizon)
        & (watched.reverter != Cause.SELF_REVERTED)
    )
    undone, pages = watched.undone_after[members] <= horizon, watched.page[members]
    number, value = len(undone), float(undone.mean()) if len(undone) else 0.0
    basis = Basis(number, int(undone.sum()), count_pages(pages))
    spread = clustered((undone - value) / max(number, 1), pages)
    return figures.share("share_revert_reverted", value, spread, basis)


def _pairs(first: Scored, second: Scored, horizons: Sequence[float]) -> Iterator[Pair]:
    names = sorted({*first.watched.wikis, *second.watched.wikis})
    ours, theirs = (_keys(each.watched, names) for each in (first, second))
    _, in_first, in_second = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
    if not len(in_first):
        return
    # intersect1d sorts by revision. Intervals need the order by page, which is the order of the first version's rows.
    order = np.argsort(in_first, kind="stable")
    both = first.watched.part(in_first[order])
    other = second.watched.probability[in_second[order]]
    parts = list(wiki_slices(both))
    for wiki_id, place in [(ALL, slice(None))] * (len(parts) > 1) + parts:
        ends = Ends.of(both.part(place))
        for horizon in horizons:
            aucs = _paired(ends, other[place], horizon)
            yield Pair(_name(first), _name(second), wiki_id, horizon, len(ends), *aucs)


def _paired(ends: Ends, other: Floats, horizon: float) -> tuple[Figure, Figure, Figure]:
    basis = basis_of(ends, horizon)
    problem = basis.too_few or too_young(ends, horizon)
    if problem is not None:
        auc = figures.not_shown("auc", basis, problem)
        return auc, auc, figures.not_shown("auc_difference", basis, problem)
    states = ends.states(ANYONE)
    one, two = (
        area_under_curve(scores, ends.seconds, states, ends.age, horizon)
        for scores in (ends.probability, other)
    )
    reverted: Booleans = (states == OF_INTEREST) & (ends.seconds <= horizon)
    spreads = [
        clustered(influence, ends.page, reverted, ~reverted)
        for influence in (one.influence, two.influence, two.influence - one.influence)
    ]
    return (
        figures.share("auc", one.value, spreads[0], basis),
        figures.share("auc", two.value, spreads[1], basis),
        figures.difference("auc_difference", two.value - one.value, spreads[2], basis),
    )


def _keys(watched: Watched, names: Sequence[str]) -> NDArray[np.int64]:
    """Return one number for each revision; it is unique over all wikis in ``names``."""
    places = np.array([names.index(each) for each in watched.wikis], dtype=np.int64)
    numbers: NDArray[np.int64] = (places[watched.wiki] << 48) | watched.rev_id
    return numbers


def _name(scored: Scored) -> tuple[str, str]:
    return scored.model.model_name, scored.model.model_version
