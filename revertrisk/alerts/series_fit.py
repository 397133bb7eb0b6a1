"""Fits a watched series on its history in the store, and finds the beginning of a surge in it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from revertrisk.alerts.bank import WatchedSeries, new_state
from revertrisk.alerts.cusum import span_ratio
from revertrisk.alerts.fitting import LEAST_RATIO, LONGEST_DAYS, fit, smallest_bin
from revertrisk.alerts.history import EVERY_SCOPE, PREDICTIONS, QUANTITIES, RISK_SCOPE
from revertrisk.alerts.incidents import Series
from revertrisk.alerts.level import MINUTES_PER_DAY, levels
from revertrisk.alerts.likelihood import Floats
from revertrisk.alerts.store import Store

_HOUR: Final = 60


def fit_series(  # noqa: PLR0913 - the parts of a series
    store: Store,
    scope: str,
    wikis: Sequence[str],
    series: Series,
    *,
    begun: int,
    end: int,
    known: WatchedSeries | None,
) -> WatchedSeries | None:
    """Fit a series of the sum of some wikis.

    It is None if the history is shorter than a day, or if even bins of an hour have too few events. ``begun`` and
    ``end`` are the first minute of the history and the minute after its last, in minutes of Unix time. The ``known``
    series keeps its state unless the length of its bins changes, which it does not while a surge is open.
    """
    first = max(-(-begun // _HOUR) * _HOUR, end // _HOUR * _HOUR - LONGEST_DAYS * MINUTES_PER_DAY)
    end = end // _HOUR * _HOUR
    if end - first < MINUTES_PER_DAY:
        return None
    minutes = _sum(store, wikis, QUANTITIES[series], first, end)
    scopes = [EVERY_SCOPE, scope, *([RISK_SCOPE] if series is not Series.EDITS else [])]
    seen = store.history.observed(scopes, first, end)
    bin_minutes = smallest_bin(minutes, seen, first)
    is_open = known is not None and known.state["open_since"] >= 0
    if known is not None and is_open:
        bin_minutes = known.model.bin_minutes
    if bin_minutes is None:
        return None
    counts, observed = _binned(minutes, bin_minutes), _whole(seen, bin_minutes)
    exposure = None
    if series is Series.SHARE:
        exposure = _binned(_sum(store, wikis, PREDICTIONS, first, end), bin_minutes)
    try:
        model = fit(counts, observed, first // bin_minutes, bin_minutes, exposure)
    except ValueError:  # an hour of the day was never observed
        return None
    if known is not None and known.model.bin_minutes == bin_minutes:
        return replace(known, model=model)
    baseline = model.baseline.means(first // bin_minutes, len(counts))
    baseline = baseline * (exposure if exposure is not None else 1.0)
    state = new_state(model, end // bin_minutes, float(max(baseline.mean(), 1e-9)))
    state["above"] *= float(levels(counts, np.maximum(baseline, 1e-9), observed, bin_minutes)[-1])
    return WatchedSeries(scope, series.value, model, state)


def most_likely_begin(
    store: Store, watched: WatchedSeries, wikis: Sequence[str], state: Mapping[str, float], last_bin: int
) -> tuple[int, float, float]:
    """Return the bin in which a surge most likely began, with the counts and the means of its span before that.

    The span of the CUSUM may begin with usual bins. The begin is the bin from which the likelihood ratio of the rest of
    the span is greatest.
    """
    first, length = int(state["since"]), watched.model.bin_minutes
    minutes = _sum(store, wikis, QUANTITIES[Series(watched.series)], first * length, (last_bin + 1) * length)
    counts = _binned(minutes, length)
    means = watched.model.baseline.means(first, len(counts)) * state["above"] / state["below"]
    observed, expected, bins = (np.cumsum(each[::-1])[::-1] for each in (counts, means, np.ones(len(counts))))
    best = int(np.argmax(span_ratio(observed, expected, bins, watched.model.dispersion.alpha, LEAST_RATIO)))
    return first + best, float(counts[:best].sum()), float(means[:best].sum())


def _sum(store: Store, wikis: Sequence[str], quantity: str, first: int, end: int) -> Floats:
    total = np.zeros(end - first)
    for wiki in wikis:
        total += store.history.counts(wiki, quantity, first, end)
    return total


def _binned(minutes: Floats, bin_minutes: int) -> Floats:
    return np.asarray(minutes.reshape(-1, bin_minutes).sum(axis=1))


def _whole(seen: Floats, bin_minutes: int) -> Floats:
    """Return 1 for each bin of which all minutes were observed, otherwise 0."""
    return np.asarray(seen.reshape(-1, bin_minutes).min(axis=1))
