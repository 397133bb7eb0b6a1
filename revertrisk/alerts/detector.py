"""Finds the start and the end of surges in several series of one bin length, one bin at a time.

A surge starts when its statistic (`span_ratio`; for shares the CUSUM) exceeds its threshold. It ends when the reverse
CUSUM, which tests the usual mean against the surge, exceeds its own threshold, after ten minutes at the earliest.
During a surge the slow level is frozen. After a day it follows the counts again; so the means rise, and the reverse
CUSUM ends the surge.
"""

import math
from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from revertrisk.alerts.cusum import span_ratio
from revertrisk.alerts.fitting import END_RATIOS, LEAST_RATIO, log_ratios
from revertrisk.alerts.level import MINUTES_PER_DAY, capped, decay
from revertrisk.alerts.likelihood import Floats

LEAST_SURGE_MINUTES: Final = 10
_END_RATIOS: Final = np.array(END_RATIOS)

Flags = npt.NDArray[np.bool_]


@dataclass(slots=True)
class DetectorState:
    """The state of n series, as arrays of n values; it is kept across a restart."""

    above: Floats
    """The numerator of the slow level."""
    below: Floats
    """The denominator of the slow level."""
    statistic: Floats
    """The CUSUM; while a surge is open it keeps the value of the start, and `close` sets it to 0."""
    reverse: Floats
    """The reverse CUSUM of an open surge."""
    since: Floats
    """The first bin of the span since the CUSUM was last 0."""
    span_counts: Floats
    """The sum of the counts of the span."""
    span_means: Floats
    """The sum of the means of the span."""
    span_bins: Floats
    """The number of observed bins of the span."""
    open_since: Floats
    """The bin in which the open surge was found; -1 if none is open."""
    peak: Floats
    """The greatest ratio of count to mean in the open surge, averaged over about ten minutes."""
    recent_counts: Floats
    """The exponential average of the counts, for the peak."""
    recent_means: Floats
    """The exponential average of the means."""
    size: Floats
    """The index in END_RATIOS of the ratio that the reverse CUSUM tests against."""

    @classmethod
    def new(cls, first_weights: Floats, first_bin: int) -> "DetectorState":
        """Return the first state of series; ``first_weights`` are the weights that their levels start with."""
        zeros = [np.zeros(len(first_weights)) for _ in fields(cls)]
        state = cls(*zeros)
        state.above, state.below = first_weights.astype(float), first_weights.astype(float)
        state.since += first_bin
        state.open_since -= 1.0
        return state

    def row(self, index: int) -> dict[str, float]:
        """Return the state of one series by name."""
        return {each.name: float(getattr(self, each.name)[index]) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Found:
    """The positions of the series whose surge starts in a bin, and of those whose surge ends."""

    started: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)


class Detector:
    """Processes the bins of n series with one bin length."""

    def __init__(  # noqa: PLR0913 - the parameters of a series
        self,
        bin_minutes: int,
        state: DetectorState,
        alpha: Floats,
        start_at: Floats,
        end_at: Floats,
        *,
        of_shares: bool = False,
    ) -> None:
        """Take the state, which is changed in place, and for each series α and the thresholds of the start and the end.

        ``end_at`` has a column for each of END_RATIOS. With ``of_shares``, the counts are parts of an exposure.
        """
        self.state = state
        self._bin_minutes = bin_minutes
        self._alpha = alpha
        self._of_shares = of_shares
        self._keep = decay(bin_minutes)
        self._recent_keep = math.exp(-bin_minutes / 10)
        self._start_at = start_at
        self._end_at = end_at
        self._least_bins = LEAST_SURGE_MINUTES / bin_minutes
        self._longest_bins = MINUTES_PER_DAY / bin_minutes

    def means(self, baseline: Floats) -> Floats:
        """Return the usual counts: the baseline times the slow level."""
        return np.asarray(baseline * self.state.above / self.state.below)

    def step(
        self, number: int, counts: Floats, baseline: Floats, observed: Flags, exposure: Floats | None = None
    ) -> Found:
        """Process a bin of each series; ``number`` is its number since the beginning of Unix time.

        ``baseline`` is the baseline of the count. A series that is not ``observed`` (an outage) keeps its state;
        only the weights of its level decay. For shares, the counts are parts of the ``exposure``.
        """
        state = self.state
        means = self.means(baseline)
        exposure = exposure if self._of_shares else None
        terms = log_ratios(counts, means, exposure, self._alpha)
        size = state.size.astype(np.int64)
        against = log_ratios(counts, means, exposure, self._alpha, _END_RATIOS[size])
        is_open = state.open_since >= 0
        idle = observed & ~is_open
        begins = idle & (state.statistic <= 0)
        state.since[begins] = number
        for sums, more in (
            (state.span_counts, counts),
            (state.span_means, means),
            (state.span_bins, np.ones_like(counts)),
        ):
            sums[begins] = 0.0
            sums[observed] += more[observed]
        state.statistic[idle] = np.maximum(0.0, state.statistic[idle] + terms[idle])
        running = observed & is_open
        state.reverse[running] = np.maximum(0.0, state.reverse[running] - against[running])
        started = idle & (self.statistic() > self._start_at)
        self._note_peak(counts, means, observed, started)
        ended = (
            running
            & (state.reverse > self._end_at[np.arange(len(size)), size])
            & (number + 1 - state.open_since >= self._least_bins)
        )
        follows = observed & ~started & (~is_open | (number - state.open_since >= self._longest_bins))
        decays = follows | ~observed
        state.above[decays] *= self._keep
        state.below[decays] *= self._keep
        state.above[follows] += capped(counts, baseline)[follows]
        state.below[follows] += baseline[follows]
        state.open_since[started] = number
        state.reverse[started] = 0.0
        # The greatest of END_RATIOS up to the surge's own ratio. Tested against a greater one, the counts of the surge
        # would look usual, and it would end at once.
        ratio = state.span_counts[started] / np.maximum(state.span_means[started], 1e-12)
        state.size[started] = np.maximum(np.searchsorted(_END_RATIOS, ratio, side="right") - 1, 0)
        return Found(
            [int(each) for each in np.flatnonzero(started)], [int(each) for each in np.flatnonzero(ended)]
        )

    def statistic(self) -> Floats:
        """Return the statistic that is compared with the threshold of the start."""
        state = self.state
        if self._of_shares:
            return state.statistic
        value = span_ratio(state.span_counts, state.span_means, state.span_bins, self._alpha, LEAST_RATIO)
        return np.asarray(np.where(state.statistic > 0, value, 0.0))

    def close(self, index: int) -> None:
        """Close the surge of a series, after its end was noted."""
        state = self.state
        state.open_since[index] = -1.0
        state.statistic[index] = state.reverse[index] = state.peak[index] = 0.0

    def _note_peak(self, counts: Floats, means: Floats, observed: Flags, started: Flags) -> None:
        state = self.state
        for recent, new in ((state.recent_counts, counts), (state.recent_means, means)):
            recent[observed] = self._recent_keep * recent[observed] + new[observed]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(state.recent_means > 0, state.recent_counts / state.recent_means, 0.0)
        counted = observed & (started | (state.open_since >= 0))
        state.peak[counted] = np.maximum(state.peak[counted], ratio[counted])
