"""Silence: minutes without an event, of each wiki and of everything, that are too unlikely to be chance.

A run of bins without an event, whose means sum to M, has the probability ``(1 + α·M)^(−1/α)`` if the rate fluctuates
with variance α about the mean and keeps its value through the run: the negative binomial's probability of 0 for the
run as a whole. Rates that change within the run make it smaller, so this errs towards no alarm. A run may begin in any
minute: one false alarm in B days is ``1440·B`` runs.
"""

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from revertrisk.alerts.incidents import ALL_WIKIS, SMALL_WIKIS, Series
from revertrisk.alerts.level import MINUTES_PER_DAY

LONGEST_WAIT_MINUTES: Final = 120
"""A wiki for which it takes longer at this time of the day is watched for silence together with the small ones."""
LEAST_ALPHA: Final = 0.05
"""Where a smaller dispersion was estimated: an interruption of a second is not what is looked for."""
PREDICTION_ALPHA: Final = 0.1
LEAST_PREDICTION_MINUTES: Final = 10
"""A producer that restarts, or is a little behind, is not silent."""
_RATIO_KEEP: Final = 0.5 ** (1 / 1440)
_LEAST_EDITS: Final = 1000.0
"""Until so many edits were seen it is not known how many of them are scored."""


@dataclass(slots=True)
class Run:
    """Minutes without an event."""

    since: int
    mean: float = 0.0
    """How many are usual in them."""
    minutes: int = 0
    canaries: int = 0
    is_silence: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence that begins or ends."""

    scope: str
    series: Series
    since: int
    cause: str = ""


@dataclass(slots=True)
class Watched:
    """Scopes that are watched together."""

    mean: float = 0.0
    count: int = 0
    alpha: float = 0.0

    def add(self, mean: float, count: int, alpha: float) -> None:
        """Add a scope."""
        self.mean += mean
        self.count += count
        self.alpha = max(self.alpha, alpha)


@dataclass(slots=True)
class SilenceChanges:
    """What a minute brought."""

    started: list[Silence] = field(default_factory=list)
    ended: list[Silence] = field(default_factory=list)


class SilenceDetector:
    """The runs of all scopes; a scope is a wiki, a group, or all wikis."""

    def __init__(self) -> None:
        """Begin without a run."""
        self._runs: dict[tuple[str, str], Run] = {}
        self._edits = 0.0
        self._predictions = 0.0
        self.watched = 0
        """How many scopes have been watched for silence in the last minute."""

    def note(  # noqa: PLR0913 - what a minute is made of
        self,
        minute: int,
        *,
        usual: Mapping[str, float],
        alphas: Mapping[str, float],
        counts: Mapping[str, int],
        edits: int,
        predictions: int,
        canaries: int,
        budget_days: float,
    ) -> SilenceChanges:
        """Take in a minute.

        ``usual``, ``alphas`` and ``counts`` are by scope: the usual number of edits in this minute, the dispersion, and
        how many came; ``edits``, ``predictions`` and ``canaries`` are those of the whole stream.
        """
        outcome = SilenceChanges()
        self.watched = len(usual)
        # A wiki that was silent before must not make the silence of all.
        everything = sum(mean for scope, mean in usual.items() if (scope, Series.SILENCE) not in self._runs)
        if usual:
            needed = needed_mean(LEAST_ALPHA, budget_days)
            run = self._follow((ALL_WIKIS, Series.SILENCE), minute, edits, everything, outcome)
            if run is not None:
                run.canaries += canaries
                self._judge(run, needed, ALL_WIKIS, Series.SILENCE, _cause(run), outcome)
        if edits:  # where nothing comes at all it is said once, not for each wiki
            slow = Watched()
            for scope, mean in usual.items():
                needed = needed_mean(alphas[scope], budget_days)
                name = (scope, Series.SILENCE)
                if mean * LONGEST_WAIT_MINUTES < needed and not self.is_silent(name):
                    self._runs.pop(name, None)
                    slow.add(mean, counts[scope], alphas[scope])
                    continue
                run = self._follow(name, minute, counts[scope], mean, outcome)
                if run is not None:
                    self._judge(run, needed, *name, "edits of other wikis come", outcome)
            if slow.mean:
                name = (SMALL_WIKIS, Series.SILENCE)
                run = self._follow(name, minute, slow.count, slow.mean, outcome)
                if run is not None:
                    needed = needed_mean(slow.alpha, budget_days)
                    self._judge(run, needed, *name, "edits of large wikis come", outcome)
        self._note_predictions(minute, edits, predictions, budget_days, outcome)
        return outcome

    def is_silent(self, name: tuple[str, Series]) -> bool:
        """Return whether a silence of a scope has been found, and is not over."""
        run = self._runs.get(name)
        return run is not None and run.is_silence

    def _follow(
        self, name: tuple[str, Series], minute: int, count: int, mean: float, outcome: SilenceChanges
    ) -> Run | None:
        """End the run of a scope where something came; else return it, longer by a minute."""
        run = self._runs.get(name)
        if count:
            if run is not None:
                del self._runs[name]
                if run.is_silence:
                    outcome.ended.append(Silence(*name, run.since))
            return None
        if run is None:
            run = self._runs[name] = Run(minute)
        run.mean += mean
        run.minutes += 1
        return run

    @staticmethod
    def _judge(  # noqa: PLR0913, PLR0917 - what a silence is made of
        run: Run, needed: float, scope: str, series: Series, cause: str, outcome: SilenceChanges
    ) -> None:
        if not run.is_silence and run.mean >= needed:
            run.is_silence = True
            outcome.started.append(Silence(scope, series, run.since, cause))

    def _note_predictions(
        self, minute: int, edits: int, predictions: int, budget_days: float, outcome: SilenceChanges
    ) -> None:
        scored = self._predictions / self._edits if self._edits >= _LEAST_EDITS else 0.0
        name = (ALL_WIKIS, Series.PREDICTIONS)
        run = self._follow(name, minute, predictions, edits * scored, outcome) if scored else None
        if run is None:
            self._edits = _RATIO_KEEP * self._edits + edits
            self._predictions = _RATIO_KEEP * self._predictions + predictions
        elif run.minutes >= LEAST_PREDICTION_MINUTES:
            cause = "edits come, predictions do not: the producer of predictions is broken"
            self._judge(run, needed_mean(PREDICTION_ALPHA, budget_days), *name, cause, outcome)

    def forget(self, watched: AbstractSet[str]) -> None:
        """Let go of the runs of all scopes but these."""
        self._runs = {name: run for name, run in self._runs.items() if name[0] in watched}

    def as_state(self) -> dict[str, Any]:
        """Return what is kept across a restart."""
        return {
            "runs": [
                [*name, run.since, run.mean, run.minutes, run.canaries, run.is_silence]
                for name, run in self._runs.items()
            ],
            "edits": self._edits,
            "predictions": self._predictions,
            "watched": self.watched,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a kept state."""
        self._runs = {(scope, Series(series)): Run(*rest) for scope, series, *rest in state["runs"]}
        self._edits, self._predictions = state["edits"], state["predictions"]
        self.watched = state["watched"]


def _cause(run: Run) -> str:
    if run.canaries:
        return "only canary events come: the producer of page changes is broken"
    return "no edits of any wiki come"


def needed_mean(alpha: float, budget_days: float) -> float:
    """Return the least M for which a run without an event is silence: (1 + α·M)^(−1/α) = 1/(1440·B)."""
    alpha = max(alpha, LEAST_ALPHA)
    return float(math.expm1(alpha * math.log(MINUTES_PER_DAY * budget_days)) / alpha)
