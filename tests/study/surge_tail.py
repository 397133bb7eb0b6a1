"""How well the tail keeps long budgets: by the probability of passing a threshold, which counting starts cannot show.

A budget of 2,800 days is four starts in 200 wikis and two months. So the tail of the statistic is measured once over
many days with known parameters. Thresholds are made from 28 days each, as a watch makes them, and the probability that
a day passes them is taken from the long tail.

python -m tests.study.surge_tail
"""

from typing import Final

import numpy as np

from revertrisk.alerts.cusum import daily_maxima
from revertrisk.alerts.fitting import FITTED_DAYS, statistic
from revertrisk.alerts.level import MINUTES_PER_DAY, levels
from revertrisk.alerts.likelihood import Floats
from revertrisk.alerts.simulate import correlated_counts
from revertrisk.alerts.threshold import fit_tail

CELLS: Final = ((60.0, 0.0, 0.0), (60.0, 0.05, 0.95), (60.0, 0.02, 0.98), (5.0, 0.02, 0.98), (5.0, 0.1, 0.98))
BUDGETS: Final = (14.0, 30.0, 2800.0)
SERIES: Final = 4
ROUNDS: Final = 3
DAYS: Final = 9 * FITTED_DAYS


def maxima(rng: np.random.Generator, rate: float, alpha: float, rho: float) -> Floats:
    """Return the daily maxima of some series, shape (series, days)."""
    baseline = np.full((SERIES, DAYS * MINUTES_PER_DAY), rate)
    counts = correlated_counts(rng, baseline, alpha, rho)
    observed = np.ones_like(counts)
    means = baseline * levels(counts, baseline, observed, 1)
    return daily_maxima(statistic(counts, means, observed, None, alpha), MINUTES_PER_DAY)


def main() -> None:
    """Print, for each cell, how many times as many starts as the budget allows."""
    print("| edits/min | α | ρ | B = 14 | B = 30 | B = 2,800 |\n| --- | --- | --- | --- | --- | --- |")  # noqa: T201
    for rate, alpha, rho in CELLS:
        rng = np.random.default_rng(1)
        found = np.concatenate([maxima(rng, rate, alpha, rho) for _ in range(ROUNDS)])
        whole = fit_tail(found.ravel())
        parts = found.reshape(-1, FITTED_DAYS)
        ratios = []
        for budget in BUDGETS:
            thresholds = np.array([fit_tail(part).threshold(budget) for part in parts])
            passing = 0.5 * np.exp(-(thresholds - whole.median) / whole.excess)
            ratios.append(float(passing.mean()) * budget)
        row = " | ".join(f"{each:.2f}" for each in ratios)
        print(f"| {rate:g} | {alpha:g} | {rho:g} | {row} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
