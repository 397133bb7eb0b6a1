"""The benchmark's figures, and ratios of neighbours with their spread."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from tests.bench.load import Shot, quantile


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is asked, and of whom."""

    compute: str
    mediawiki_ms: int
    eventgate_ms: int
    concurrency: int
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """One server's figures in one slice, or their medians; times in the unit that their name ends with."""

    rate: float
    """Requests a second."""
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_us: float
    """Of the server's CPU, for one request, all threads."""
    compute_us: float
    """The part of it that the classifier took."""
    queries: float
    """Queries to MediaWiki, for one request."""

    @classmethod
    def of(cls, shot: Shot, *, cpu: float, compute: float, queries: int) -> Self:
        """Reckon from what the load generator saw and the seconds that the server spent."""
        count = len(shot.latencies)
        p50, p95, p99 = (1000 * quantile(shot.latencies, share) for share in (0.5, 0.95, 0.99))
        return cls(
            count / shot.seconds, p50, p95, p99, 1e6 * cpu / count, 1e6 * compute / count, queries / count
        )

    @property
    def serving_us(self) -> float:
        """CPU time without the classifier's."""
        return self.cpu_us - self.compute_us

    @classmethod
    def median(cls, figures: Sequence[Self]) -> Self:
        """Return the median of each figure."""
        return cls(*(statistics.median(getattr(each, name) for each in figures) for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratio of two servers asked one after the other: its median over all pairs, and the extremes."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        """Write the median with its spread."""
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


Rounds = Sequence[Mapping[str, Figures]]
Measured = Mapping[Scenario, Rounds]


def ratio(rounds: Rounds, above: str, below: str, figure: Callable[[Figures], float]) -> Ratio:
    """Compare two servers pair by pair."""
    ratios = [figure(each[above]) / figure(each[below]) for each in rounds]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))
