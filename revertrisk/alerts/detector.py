"""Finds the start and the end of surges in several series of one bin length, one bin at a time.

A surge starts when the CUSUM, with its size estimated, passes its threshold. It ends when the reverse CUSUM, which
tests the usual mean against the surge, passes its own and ten minutes have passed. While a surge is open, the slow
level stands still, for a day at most: what lasts longer is the new usual, and the surge then ends.
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
    """The state of n series, an array of n values each; what is kept across a restart."""

    above: Floats
    """The level's numerator."""
    below: Floats
    """The level's denominator."""
    statistic: Floats
    """The CUSUM; 0 while a surge is open."""
    reverse: Floats
    """The reverse CUSUM of an open surge."""
    since: Floats
    """The first bin of the span whose CUSUM has not been 0: the most likely beginning."""
    span_counts: Floats
    """Sum of the counts from then on."""
    span_means: Floats
    """Sum of the means from then on."""
    span_bins: Floats
    """Observed bins from then on."""
    open_since: Floats
    """The bin in which the open surge was found, or -1."""
    peak: Floats
    """The greatest ratio of count to mean, averaged over some ten minutes, of the open surge."""
    recent_counts: Floats
    """Exponential average of the counts, for the peak."""
    recent_means: Floats
    size: Floats
    """Which of END_RATIOS the reverse CUSUM tests against."""

    @classmethod
    def new(cls, first_weights: Floats, first_bin: int) -> "DetectorState":
        """Return the state of series without a past; ``first_weights`` are those of their levels."""
        zeros = [np.zeros(len(first_weights)) for _ in fields(cls)]
        state = cls(*zeros)
        state.above, state.below = first_weights.astype(float), first_weights.astype(float)
        state.since += first_bin
        state.open_since -= 1.0
        return state

    def row(self, index: int) -> dict[str, float]:
        """Return one series' state by name."""
        return {each.name: float(getattr(self, each.name)[index]) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Found:
    """What a bin brought: positions of series whose surge starts, and of those whose surge ends."""

    started: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)


class Detector:
    """Steps n series through the bins of one length; thresholds may be replaced between steps."""

    def __init__(  # noqa: PLR0913 - what a series has
        self,
        bin_minutes: int,
        state: DetectorState,
        alpha: Floats,
        start_at: Floats,
        end_at: Floats,
        *,
        of_shares: bool = False,
    ) -> None:
        """Take the state, which is changed in place, and for each series its α and the thresholds of start and end.

        ``end_at`` has a column for each of END_RATIOS. With ``of_shares``, counts are parts of an exposure.
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
        """Return what is usual now: the baseline at the slow level."""
        return np.asarray(baseline * self.state.above / self.state.below)

    def step(
        self, number: int, counts: Floats, baseline: Floats, observed: Flags, exposure: Floats | None = None
    ) -> Found:
        """Take in a bin of each series.

        ``number`` is the bin's; the ``baseline`` is that of the count. For series that are not ``observed`` (an
        outage) only the level's weights decay. Shares have an ``exposure``: what the counts are a part of.
        """
        state = self.state
        means = self.means(baseline)
        exposure = exposure if self._of_shares else None
        terms = log_ratios(counts, means, exposure, self._alpha)
        size = state.size.astype(np.int64)
        against = log_ratios(counts, means, exposure, self._alpha, _END_RATIOS[size])
        is_open = state.open_since >= 0
        quiet = observed & ~is_open
        begins = quiet & (state.statistic <= 0)
        state.since[begins] = number
        for sums, more in (
            (state.span_counts, counts),
            (state.span_means, means),
            (state.span_bins, np.ones_like(counts)),
        ):
            sums[begins] = 0.0
            sums[observed] += more[observed]
        state.statistic[quiet] = np.maximum(0.0, state.statistic[quiet] + terms[quiet])
        running = observed & is_open
        state.reverse[running] = np.maximum(0.0, state.reverse[running] - against[running])
        started = quiet & (self.statistic() > self._start_at)
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
        ratio = state.span_counts[started] / np.maximum(state.span_means[started], 1e-12)
        state.size[started] = np.maximum(np.searchsorted(_END_RATIOS, ratio, side="right") - 1, 0)
        return Found(
            [int(each) for each in np.flatnonzero(started)], [int(each) for each in np.flatnonzero(ended)]
        )

    def statistic(self) -> Floats:
        """Return what is compared with the threshold of the start."""
        state = self.state
        if self._of_shares:
            return state.statistic
        value = span_ratio(state.span_counts, state.span_means, state.span_bins, self._alpha, LEAST_RATIO)
        return np.asarray(np.where(state.statistic > 0, value, 0.0))

    def close(self, index: int) -> None:
        """Let a series be quiet again: after its end was noted, or because it is not watched any more."""
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
