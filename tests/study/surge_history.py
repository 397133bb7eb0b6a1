"""`make study`: the history of a real page by the hour: its waves, and how often a Poisson rule would have fired.

python -m tests.study.surge_history FILE, with the export of DATA/edits/anarchism_enwiki_fullhistory_2001-2010.xml.lzma
or the same page's anarchism_enwiki_history.jsonl.gz.
"""

import gzip
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from scipy.stats import poisson

from revertrisk.alerts.baseline import Baseline
from revertrisk.alerts.detector import Detector, DetectorState
from revertrisk.alerts.fitting import LONGEST_DAYS, fit
from revertrisk.alerts.incidents import instant
from revertrisk.alerts.level import first_weight
from revertrisk.alerts.likelihood import Floats

BUDGET_DAYS: Final = 30.0
PER_DAY: Final = 24
STEP_DAYS: Final = 7
FALSE_HOUR: Final = 1 / (30 * PER_DAY)
"""A Poisson rule's hour is unusual if it is above what comes once in thirty days."""


def hours_of(path: Path) -> tuple[int, Floats]:
    """Return the first hour of Unix time, at a midnight, and the edits of each hour from there on."""
    with gzip.open(path) as file:
        times = [orjson.loads(line)["timestamp"] for line in file]
    hours = [int(datetime.fromisoformat(each).replace(tzinfo=UTC).timestamp()) // 3600 for each in times]
    first = min(hours) // PER_DAY * PER_DAY
    days = (max(hours) - first) // PER_DAY + 1
    return first, np.bincount(np.array(hours) - first, minlength=days * PER_DAY).astype(float)


def surges(first: int, counts: Floats) -> list[tuple[int, int, float]]:
    """Return begin, end (hours from the first) and excess of each surge; fitted anew each week on eight weeks."""
    found: list[tuple[int, int, float]] = []
    window, step = LONGEST_DAYS * PER_DAY, STEP_DAYS * PER_DAY
    detector: Detector | None = None
    state: DetectorState | None = None
    for begin in range(window, len(counts) - step, step):
        before = counts[begin - window : begin]
        if before.sum() < LONGEST_DAYS:  # under an edit a day
            continue
        model = fit(before, np.ones(window), first + begin - window, 60)
        if state is None:
            state = DetectorState.new(np.array([first_weight(float(before.mean()), 60)]), first + begin)
        threshold = np.array([model.start.threshold(BUDGET_DAYS)])
        alpha = np.array([model.dispersion.alpha])
        detector = Detector(60, state, alpha, threshold, np.array([model.end]))
        baseline = model.baseline.means(first + begin, step)
        for hour in range(step):
            number = first + begin + hour
            outcome = detector.step(
                number, counts[begin + hour : begin + hour + 1], baseline[hour : hour + 1], np.array([True])
            )
            if outcome.ended:
                row = state.row(0)
                found.append(
                    (int(row["since"]) - first, begin + hour + 1, row["span_counts"] - row["span_means"])
                )
                detector.close(0)
    return found


def poisson_days(first: int, counts: Floats) -> float:
    """Return the part of the days on which a Poisson rule would have fired: an hour above its baseline's quantile."""
    window, step = LONGEST_DAYS * PER_DAY, STEP_DAYS * PER_DAY
    fired, days = 0, 0
    for begin in range(window, len(counts) - step, step):
        before = counts[begin - window : begin]
        if before.sum() < LONGEST_DAYS:
            continue
        means = Baseline.fit(before, first + begin - window, 60).means(first + begin, step)
        above = counts[begin : begin + step] > poisson.isf(FALSE_HOUR, means)
        fired += int(above.reshape(-1, PER_DAY).any(axis=1).sum())
        days += STEP_DAYS
    return fired / days


def main() -> None:
    """Print the figures for docs/alerts.md."""
    first, counts = hours_of(Path(sys.argv[1]))
    found = surges(first, counts)
    years = Counter(instant((first + begin) * 60)[:4] for begin, _, _ in found)
    print(f"{counts.sum():,.0f} edits, {len(found)} surges: {dict(sorted(years.items()))}")  # noqa: T201
    print(f"a Poisson rule fires on {poisson_days(first, counts):.1%} of the days")  # noqa: T201
    print("\n| from | until | edits beyond the usual |\n| --- | --- | --- |")  # noqa: T201
    for begin, end, excess in sorted(found, key=lambda each: -each[2])[:12]:
        print(f"| {_hour(first + begin)} | {_hour(first + end)} | {excess:.0f} |")  # noqa: T201


def _hour(hour: int) -> str:
    return instant(hour * 60)[:16].replace("T", " ")


if __name__ == "__main__":
    main()
