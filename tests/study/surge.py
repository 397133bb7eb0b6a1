"""`make study`: the alerts' error rates and delays on simulated wikis, whose parameters the tool does not know.

python -m tests.study.surge [--wikis 200] [--only starts|delays|outside] [--rates 0.5 5 60]
"""

import argparse
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

from revertrisk.alerts.baseline import kinds_of_bins
from revertrisk.alerts.detector import Detector, DetectorState
from revertrisk.alerts.dispersion import Dispersion
from revertrisk.alerts.fitting import LONGEST_DAYS, Model, fit, smallest_bin, tails
from revertrisk.alerts.level import MINUTES_PER_DAY, first_weight, levels
from revertrisk.alerts.likelihood import Floats
from revertrisk.alerts.simulate import correlated_rates

DAYS: Final = 90
TRAINING_DAYS: Final = 28
FIRST_MINUTE: Final = 29_000_160
"""A midnight, of a Monday."""
DEFAULT_BUDGET: Final = 14.0
RATES: Final = (0.5, 5.0, 60.0)
DISPERSIONS: Final = ((0.0, 0.0), *((alpha, rho) for alpha in (0.02, 0.05, 0.1) for rho in (0.95, 0.98)))
SPEC_DELAYS: Final = {
    (60.0, 0.0, 0.0): (2, 1, 1),
    (60.0, 0.02, 0.98): (67, 23, 10),
    (60.0, 0.05, 0.95): (97, 38, 17),
    (5.0, 0.0, 0.0): (15, 6, 3),
    (5.0, 0.02, 0.98): (83, 29, 13),
    (0.5, 0.0, 0.0): (119, 34, 13),
}
"""Median minutes to find a surge of 1.5, 2 and 3 times the usual: shared/spec/analytics.md, section 6."""
SURGE_RATIOS: Final = (1.5, 2.0, 3.0)
SURGE_MINUTES: Final = 720
SURGE_EVERY_DAYS: Final = 4

CHUNK: Final = 50
"""Wikis that are in memory together."""
BUDGETS: Final = (30.0, DEFAULT_BUDGET, DEFAULT_BUDGET * 200)
"""Days a false start: the acceptance's, the default for one series, and the default for all 200 wikis."""

Shaped = Callable[[np.random.Generator, Floats], Floats]
"""Changes the means of series, shape (wikis, minutes), into what happens in a cell outside the family."""


@dataclass(frozen=True, slots=True)
class Cell:
    """How the wikis of a cell are."""

    rate: float
    """Events a minute."""
    alpha: float
    rho: float
    """Of the rate, from minute to minute."""

    @property
    def seed(self) -> int:
        """A seed of its own."""
        return zlib.crc32(repr((self.rate, self.alpha, self.rho)).encode())


def usual_means(rng: np.random.Generator, wikis: int, days: int, rate: float) -> Floats:
    """Return means by the minute: the hour of the day, the weekend, and how much both matter on each wiki."""
    slot, weekend = kinds_of_bins(FIRST_MINUTE, days * MINUTES_PER_DAY, 1)
    angle = 2 * np.pi * slot / MINUTES_PER_DAY
    size, phase = rng.uniform(0.1, 0.3, (wikis, 1)), rng.uniform(0, 2 * np.pi, (wikis, 1))
    second, quieter = rng.uniform(0, 0.1, (wikis, 1)), rng.uniform(-0.2, 0.1, (wikis, 1))
    log_shape = size * np.sin(angle + phase) + second * np.sin(2 * angle + 2 * phase) + quieter * weekend
    means = np.exp(log_shape)
    return np.asarray(rate * means / means.mean(axis=1, keepdims=True))


def simulated(cell: Cell, wikis: int, days: int, change: Shaped | None = None, part: int = 0) -> Floats:
    """Return counts by the minute, shape (wikis, minutes)."""
    rng = np.random.default_rng((cell.seed, part))
    means = usual_means(rng, wikis, days, cell.rate)
    if change is not None:
        means = change(rng, means)
    means *= correlated_rates(rng, (wikis, days * MINUTES_PER_DAY), cell.alpha, cell.rho)
    return np.asarray(rng.poisson(means).astype(np.int32))


def binned(minutes: Floats, bin_minutes: int) -> Floats:
    """Return sums over the bins."""
    return np.asarray(minutes.reshape(minutes.shape[0], -1, bin_minutes).sum(axis=2), dtype=np.float64)


def fitted(minutes: Floats, *, poisson: bool, training: int = TRAINING_DAYS) -> tuple[int, list[Model]]:
    """Fit each wiki on its first days; returns the bin, which is that of most, and the models."""
    first = minutes[:, : training * MINUTES_PER_DAY]
    seen = np.ones(first.shape[1])
    asked = [smallest_bin(row, seen, FIRST_MINUTE) or 60 for row in first]
    bin_minutes = max(set(asked), key=asked.count)
    counts = binned(first, bin_minutes)
    seen = np.ones(counts.shape[1])
    models = [fit(row, seen, FIRST_MINUTE // bin_minutes, bin_minutes) for row in counts]
    return bin_minutes, [as_poisson(model) for model in models] if poisson else models


def as_poisson(model: Model) -> Model:
    """Return the model with α = 0 and thresholds that are right for Poisson counts: what must fail."""
    rng = np.random.default_rng(1)
    per_day = MINUTES_PER_DAY // model.bin_minutes
    means = np.tile(model.baseline.means(FIRST_MINUTE // model.bin_minutes, 7 * per_day), (8, 1))
    counts = rng.poisson(means).astype(float)
    start, end = tails(counts, means, np.ones_like(means), None, 0.0, per_day)
    return Model(model.baseline, Dispersion(1.0, 0.0, 0.0, 0.0), start, end, model.days, is_provisional=False)


class Watched:
    """The wikis of a cell, watched from the end of their first days on; once for each of some budgets."""

    def __init__(
        self,
        minutes: Floats,
        budgets: Sequence[float],
        bin_minutes: int,
        models: list[Model],
        training: int = TRAINING_DAYS,
    ) -> None:
        self.bin_minutes = bin_minutes
        self._budgets = budgets
        self._times = len(budgets)
        self._counts = binned(minutes, bin_minutes)
        self._begin = training * MINUTES_PER_DAY // bin_minutes
        self._baseline = self._baselines(models)
        counts, baseline = self._counts[:, : self._begin], self._baseline[:, : self._begin]
        level = [
            levels(x, b, np.ones(len(x)), bin_minutes)[-1] for x, b in zip(counts, baseline, strict=True)
        ]
        weights = np.array([2 * first_weight(float(b.mean()), bin_minutes) for b in baseline])
        state = DetectorState.new(np.tile(weights, self._times), self._begin)
        state.above *= np.tile(level, self._times)
        self.detector = self._made(state, models)
        self._observed = np.full(self._times * len(models), True)

    def bins(self) -> Iterator[tuple[int, list[int]]]:
        """Step through all bins; yields each number from the beginning, and who starts."""
        for number in range(self._begin, self._counts.shape[1]):
            counts = np.tile(self._counts[:, number], self._times)
            baseline = np.tile(self._baseline[:, number], self._times)
            found = self.detector.step(number, counts, baseline, self._observed)
            for index in found.ended:
                self.detector.close(index)
            yield number, found.started

    def refit(self, models: list[Model]) -> None:
        """Go on with other models, as a watch does each day."""
        self._baseline = self._baselines(models)
        self.detector = self._made(self.detector.state, models)

    def _baselines(self, models: list[Model]) -> Floats:
        first, number = FIRST_MINUTE // self.bin_minutes, self._counts.shape[1]
        return np.stack([model.baseline.means(first, number) for model in models])

    def _made(self, state: DetectorState, models: list[Model]) -> Detector:
        return Detector(
            self.bin_minutes,
            state,
            np.tile([model.dispersion.alpha for model in models], self._times),
            np.array([model.start.threshold(budget) for budget in self._budgets for model in models]),
            np.tile(np.array([model.end for model in models]), (self._times, 1)),
        )


def false_starts(
    cell: Cell,
    wikis: int,
    budgets: Sequence[float],
    *,
    poisson: bool = False,
    change: Shaped | None = None,
    days: int = DAYS,
) -> list[float]:
    """Return, for each budget in days a false start, how many times as many starts came as it allows.

    The wikis are fitted on four weeks, and anew on eight.
    """
    starts = np.zeros(len(budgets))
    for part in range(0, wikis, CHUNK):
        minutes = simulated(cell, min(CHUNK, wikis - part), days, change, part)
        bin_minutes, models = fitted(minutes, poisson=poisson)
        watched = Watched(minutes, budgets, bin_minutes, models)
        for number, started in watched.bins():
            if not poisson and number == LONGEST_DAYS * MINUTES_PER_DAY // bin_minutes:
                watched.refit(fitted(minutes, poisson=False, training=LONGEST_DAYS)[1])
            for index in started:
                starts[index // len(models)] += 1
    return [float(each) for each in starts * np.array(budgets) / (wikis * (days - TRAINING_DAYS))]


def delays(
    cell: Cell, wikis: int, ratio: float, budget: float = 30.0, watched_days: int = 16
) -> tuple[float, float, float]:
    """Return the median minutes to find a surge, and the parts that are found within an hour and that start twice.

    The wikis are fitted on eight weeks. Then each has a surge of twelve hours every fourth day. They are so far apart
    because the slow level follows each until it is found, and has a half-life of a day.
    """
    rng = np.random.default_rng((cell.seed, 99))
    training, days = LONGEST_DAYS, LONGEST_DAYS + watched_days
    surge_days = range(training + 1, days, SURGE_EVERY_DAYS)
    begins = rng.integers(0, MINUTES_PER_DAY, (wikis, len(surge_days)))
    begins += np.array(surge_days) * MINUTES_PER_DAY

    def with_surges(_: np.random.Generator, means: Floats) -> Floats:
        for wiki, row in enumerate(begins):
            for begin in row:
                means[wiki, begin : begin + SURGE_MINUTES] *= ratio
        return means

    minutes = simulated(cell, wikis, days, with_surges)
    watched = Watched(
        minutes, [budget], *fitted(minutes, poisson=False, training=training), training=training
    )
    starts, spoilt = _watch_for(watched, begins)
    ends = days * MINUTES_PER_DAY
    surges = {
        (wiki, which)
        for wiki, which in np.ndindex(begins.shape)
        if begins[wiki, which] + SURGE_MINUTES < ends
    }
    seen = [starts.get(each, [np.inf]) for each in sorted(surges - spoilt)]
    taken = np.array([each[0] for each in seen])
    return (
        float(np.median(taken)),
        float(np.mean(taken <= 60)),
        float(np.mean([len(each) > 1 for each in seen])),
    )


Surge = tuple[int, int]
"""A wiki, and which of its surges."""


def _watch_for(
    watched: Watched, begins: npt.NDArray[np.int64]
) -> tuple[dict[Surge, list[float]], set[Surge]]:
    """Return the minutes from the beginning of each surge to its starts, and those that began while one was open."""
    starts: dict[Surge, list[float]] = {}
    spoilt: set[Surge] = set()
    ends = begins + SURGE_MINUTES
    for number, started in watched.bins():
        now = (number + 1) * watched.bin_minutes
        for wiki in started:
            for which in np.flatnonzero((begins[wiki] < now) & (now <= ends[wiki])):
                starts.setdefault((wiki, int(which)), []).append(float(now - begins[wiki, which]))
        for wiki, which in np.argwhere((begins > now - watched.bin_minutes) & (begins <= now)):
            if watched.detector.state.open_since[wiki] >= 0:
                spoilt.add((int(wiki), int(which)))
        # What is still open at the end of a surge is closed, for the next one.
        for wiki, _ in np.argwhere((ends > now - watched.bin_minutes) & (ends <= now)):
            watched.detector.close(int(wiki))
    return starts, spoilt


def bot_run(rng: np.random.Generator, means: Floats) -> Floats:
    """Add, once in ten days, a bot that makes three times the usual edits for two hours."""
    return _episodes(rng, means, every=10, minutes=120, ratio=4.0)


def editathon(rng: np.random.Generator, means: Floats) -> Floats:
    """Raise the edits by half for eight hours, once in fourteen days."""
    return _episodes(rng, means, every=14, minutes=480, ratio=1.5)


def holiday(rng: np.random.Generator, means: Floats) -> Floats:
    """Lower the edits by 30 % on three days in a row, once in thirty days."""
    return _episodes(rng, means, every=30, minutes=3 * MINUTES_PER_DAY, ratio=0.7)


def level_shift(rng: np.random.Generator, means: Floats) -> Floats:
    """Raise the edits by 40 % for good, once, after the training."""
    at = rng.integers(TRAINING_DAYS + 5, DAYS - 20, len(means)) * MINUTES_PER_DAY
    for row, begin in enumerate(at):
        means[row, begin:] *= 1.4
    return means


def heavy_tail(rng: np.random.Generator, means: Floats) -> Floats:
    """Multiply each ten minutes by an independent factor with a Pareto tail (index 3) and the mean 1."""
    shape = (means.shape[0], means.shape[1] // 10)
    factors = (1 + rng.pareto(3.0, shape)) / 1.5
    return np.asarray(means * np.repeat(factors, 10, axis=1))


def _episodes(rng: np.random.Generator, means: Floats, *, every: int, minutes: int, ratio: float) -> Floats:
    for row in means:
        for day in range(int(rng.integers(0, every)), means.shape[1] // MINUTES_PER_DAY, every):
            begin = day * MINUTES_PER_DAY + int(rng.integers(0, MINUTES_PER_DAY))
            row[begin : begin + minutes] *= ratio
    return means


OUTSIDE: Final = (bot_run, editathon, holiday, level_shift, heavy_tail)


def main() -> None:
    """Run the study and print its tables as Markdown."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--wikis", type=int, default=200)
    arguments.add_argument("--only", choices=("starts", "delays", "outside"))
    arguments.add_argument(
        "--rates", type=float, nargs="*", default=RATES, help="false starts at these rates only"
    )
    given = arguments.parse_args()
    if given.only in {None, "starts"}:
        print("| edits/min | α | ρ | B = 30 | B = 14 | B = 2,800 | Poisson thresholds, B = 30 |")  # noqa: T201
        print("| --- | --- | --- | --- | --- | --- | --- |")  # noqa: T201
        for rate, (alpha, rho) in product(given.rates, DISPERSIONS):
            cell = Cell(rate, alpha, rho)
            ratios = [
                *false_starts(cell, given.wikis, BUDGETS),
                *false_starts(cell, 20, BUDGETS[:1], poisson=True),
            ]
            _row(rate, alpha, rho, *(f"{ratio:.2f}" for ratio in ratios))
    if given.only in {None, "delays"}:
        print("\n| edits/min | α | ρ | 1.5× | 2× | 3× | the aim |")  # noqa: T201
        print("| --- | --- | --- | --- | --- | --- | --- |")  # noqa: T201
        for (rate, alpha, rho), aim in SPEC_DELAYS.items():
            found = [delays(Cell(rate, alpha, rho), given.wikis, ratio) for ratio in SURGE_RATIOS]
            texts = [f"{median:.0f} ({part:.0%}; {twice:.0%})" for median, part, twice in found]
            _row(rate, alpha, rho, *texts, " / ".join(map(str, aim)))
    if given.only in {None, "outside"}:
        print("\n| 60 edits/min, α .02, ρ .98 and | starts per wiki in 62 days | of them allowed, B = 30 |")  # noqa: T201
        print("| --- | --- | --- |")  # noqa: T201
        for change in OUTSIDE:
            (ratio,) = false_starts(Cell(60.0, 0.02, 0.98), given.wikis // 4, BUDGETS[:1], change=change)
            allowed = (DAYS - TRAINING_DAYS) / BUDGETS[0]
            _row(change.__name__.replace("_", " "), f"{ratio * allowed:.1f}", f"{allowed:.1f}")


def _row(*values: object) -> None:
    print("|", " | ".join(map(str, values)), "|", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
