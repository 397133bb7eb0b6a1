"""Differences between kinds of users on a wiki: ratios of shares, tested together with a false discovery rate."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped]  # ships no types

from revertrisk.reports.cell import Ends, basis_of, too_young
from revertrisk.reports.estimators import Estimate, cumulative_incidence
from revertrisk.reports.intervals import (
    Clustered,
    clustered,
    ratio_interval,
    ratio_p_value,
)
from revertrisk.reports.watched import ANYONE, REGISTERED, USER_KINDS, Booleans

MIN_RATIO: Final = 1.25
"""A difference is flagged if the ratio is at least this, or at most 1 divided by this."""
FALSE_DISCOVERY_RATE: Final = 0.01
"""If one difference in a report is real, about twice this share of the flagged differences is false (make study)."""
MIN_EXPECTED: Final = 20
"""A kind is compared only if at least this many of its edits would be reverted without a difference."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The edits of one wiki. ``kind`` has, for each edit, an index into `USER_KINDS`."""

    wiki_id: str
    kind: NDArray[np.int8]
    ends: Ends


@dataclass(frozen=True, slots=True)
class Difference:
    """The ratio of a share for one kind of user to the share for registered accounts of the wiki."""

    wiki_id: str
    kind: str
    measure: str
    threshold: float | None
    n: int
    share: float
    reference_share: float
    ratio: float
    low: float
    high: float
    p_value: float
    adjusted_p_value: float
    """Adjusted by the method of Benjamini and Hochberg, over all wikis and kinds of the measure."""
    is_flagged: bool
    """True if adjusted p is below 0.01, the interval excludes 1, and the ratio is at least 1.25 or at most 1/1.25."""


@dataclass(frozen=True, slots=True)
class _Ratio:
    wiki_id: str
    kind: str
    n: int
    share: float
    reference_share: float
    of_log: Clustered

    @property
    def value(self) -> float:
        return self.share / self.reference_share


_Measure = Callable[[Ends, float], Estimate | None]


def differences(
    wikis: Sequence[Compared], horizon: float, threshold: float | None = None
) -> list[Difference]:
    """Compare the kinds of users of each wiki; kinds with too few edits for a figure are left out.

    Without a threshold, the share reverted is compared. With a threshold, it is the share of flagged edits among those
    that were not reverted. ``horizon`` is in seconds.

    The standard error is that of the logarithm of the ratio (delta method). Edits of both kinds can be on the same
    page, so the influences of both shares are summed by page together.
    """
    measure = "share_reverted" if threshold is None else "flagged_not_reverted"
    measure_of = _share_reverted if threshold is None else _flagged_not_reverted(threshold)
    found = [ratio for each in wikis for ratio in _ratios(each, horizon, measure_of)]
    if not found:
        return []
    p_values = [ratio_p_value(each.value, each.of_log) for each in found]
    adjusted = multipletests(p_values, alpha=FALSE_DISCOVERY_RATE, method="fdr_bh")[1]
    return [
        _difference(measure, threshold, each, p_value, float(together))
        for each, p_value, together in zip(found, p_values, adjusted, strict=True)
    ]


def _difference(
    measure: str, threshold: float | None, ratio: _Ratio, p_value: float, adjusted: float
) -> Difference:
    low, high = ratio_interval(ratio.value, ratio.of_log)
    is_large = max(ratio.value, 1 / ratio.value) >= MIN_RATIO
    return Difference(
        ratio.wiki_id,
        ratio.kind,
        measure,
        threshold,
        ratio.n,
        ratio.share,
        ratio.reference_share,
        ratio.value,
        low,
        high,
        p_value,
        adjusted,
        is_flagged=adjusted < FALSE_DISCOVERY_RATE and is_large and not low <= 1 <= high,
    )


def _ratios(wiki: Compared, horizon: float, measure_of: _Measure) -> Iterator[_Ratio]:
    registered = np.isin(wiki.kind, REGISTERED)
    for number, kind in enumerate(USER_KINDS):
        members = wiki.kind == number
        if not members.any():
            continue
        others = registered & ~members
        own = measure_of(wiki.ends.part(members), horizon)
        reference = measure_of(wiki.ends.part(others), horizon)
        if own is None or reference is None:
            continue
        if _expected(wiki.ends, members, others, horizon) < MIN_EXPECTED:
            continue
        # Of the logarithm of the ratio: the derivative of log(x) is 1 / x.
        influence: NDArray[Any] = np.zeros(len(wiki.ends))
        influence[members] = own.influence / own.value
        influence[others] -= reference.influence / reference.value
        of_log = clustered(influence, wiki.ends.page, members, others)
        if not of_log.is_enough:
            continue
        yield _Ratio(
            wiki.wiki_id,
            kind,
            int(members.sum()),
            own.value,
            reference.value,
            of_log,
        )


def _expected(ends: Ends, members: Booleans, others: Booleans, horizon: float) -> float:
    """Return how many edits of the members would be reverted if there were no difference.

    A kind with a small expected number would reach the 30 reverted edits of a figure only by chance. So it would be
    compared just when chance has given it many reverts.
    """
    reverted = basis_of(ends.part(members | others), horizon).reverted
    return reverted * float(members.sum()) / float((members | others).sum())


def _share_reverted(ends: Ends, horizon: float) -> Estimate | None:
    if basis_of(ends, horizon).too_few is not None or too_young(ends, horizon) is not None:
        return None
    return cumulative_incidence(ends.seconds, ends.states(ANYONE), horizon)


def _flagged_not_reverted(threshold: float) -> _Measure:
    def share(ends: Ends, horizon: float) -> Estimate | None:
        found = _share_reverted(ends, horizon)
        if found is None:
            return None
        above: Booleans = ends.probability > threshold
        part = float(above.mean())
        # The share of all edits that is flagged and reverted, and its influence (derivative of a product).
        both, influence = 0.0, np.zeros(len(ends))
        if above.any():
            inner = cumulative_incidence(ends.seconds[above], ends.states(ANYONE)[above], horizon)
            both, influence[above] = part * inner.value, part * inner.influence
            influence += inner.value * (above - part) / len(ends)
        value = (part - both) / (1 - found.value)
        if value <= 0:
            return None
        weight = (above - part) / len(ends)
        return Estimate(value, (weight - influence + value * found.influence) / (1 - found.value))

    return share
