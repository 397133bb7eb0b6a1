"""Silence: runs of minutes without an event, of a wiki or of all wikis, that are too improbable to be chance.

A run of bins without an event, whose means sum to M, has the probability ``(1 + α·M)^(−1/α)`` if the rate has the
relative variance α and is constant during the run. This is the probability of 0 of the negative binomial distribution
for the whole run. If the rate changes during the run, the probability is smaller, so the rule gives too few alarms
rather than too many. A run may begin in any minute, so one false alarm in B days is one in ``1440·B`` runs.
"""

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from revertrisk.alerts.incidents import ALL_WIKIS, SMALL_WIKIS, Series
from revertrisk.alerts.level import MINUTES_PER_DAY

LONGEST_WAIT_MINUTES: Final = 120
"""A wiki whose silence could be reported only after more minutes than this, at its rate at this time of the day, is
watched as a group with the small wikis.
"""
LEAST_ALPHA: Final = 0.05
"""Used if a smaller dispersion was estimated, so that very short interruptions are not reported."""
PREDICTION_ALPHA: Final = 0.1
LEAST_PREDICTION_MINUTES: Final = 10
"""The shortest run without predictions that is reported: a producer that restarts, or lags by some minutes, is not
silent.
"""
_RATIO_KEEP: Final = 0.5 ** (1 / 1440)
_LEAST_EDITS: Final = 1000.0
"""The number of edits after which the proportion with a prediction is known."""


@dataclass(slots=True)
class Run:
    """A run of minutes without an event."""

    since: int
    expected: float = 0.0
    """The usual number of events in them."""
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
class Group:
    """Scopes that are watched for silence as a group."""

    expected: float = 0.0
    count: int = 0
    alpha: float = 0.0

    def add(self, mean: float, count: int, alpha: float) -> None:
        """Add a scope."""
        self.expected += mean
        self.count += count
        # The greatest: a greater dispersion needs a longer run, so the group has no more false alarms than its scopes.
        self.alpha = max(self.alpha, alpha)


@dataclass(slots=True)
class SilenceChanges:
    """The silences that start or end in a minute."""

    started: list[Silence] = field(default_factory=list)
    ended: list[Silence] = field(default_factory=list)


class SilenceDetector:
    """The runs of all scopes; a scope is a wiki, a group, or all wikis."""

    def __init__(self) -> None:
        """Start without a run."""
        self._runs: dict[tuple[str, str], Run] = {}
        self._edits = 0.0
        self._predictions = 0.0

    def note(  # noqa: PLR0913 - the counts of a minute
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
        """Process a minute.

        ``usual``, ``alphas`` and ``counts`` are by scope: the usual number of edits in this minute, their dispersion,
        and their number. ``edits``, ``predictions`` and ``canaries`` are the numbers of events in the whole stream.
        """
        outcome = SilenceChanges()
        # Wikis that are silent already do not count for the silence of all wikis.
        everything = sum(mean for scope, mean in usual.items() if (scope, Series.SILENCE) not in self._runs)
        if usual:
            needed = least_expected_events(LEAST_ALPHA, budget_days)
            run = self._follow((ALL_WIKIS, Series.SILENCE), minute, edits, everything, outcome)
            if run is not None:
                run.canaries += canaries
                self._start_if_silent(run, needed, ALL_WIKIS, Series.SILENCE, _cause(run), outcome)
        if edits:  # if no edits arrive at all, there is one incident, and not one for each wiki
            slow = Group()
            for scope, mean in usual.items():
                needed = least_expected_events(alphas[scope], budget_days)
                key = (scope, Series.SILENCE)
                if mean * LONGEST_WAIT_MINUTES < needed and not self.is_silent(key):
                    self._runs.pop(key, None)
                    slow.add(mean, counts[scope], alphas[scope])
                    continue
                run = self._follow(key, minute, counts[scope], mean, outcome)
                if run is not None:
                    self._start_if_silent(run, needed, *key, "edits of other wikis arrive", outcome)
            if slow.expected:
                key = (SMALL_WIKIS, Series.SILENCE)
                run = self._follow(key, minute, slow.count, slow.expected, outcome)
                if run is not None:
                    needed = least_expected_events(slow.alpha, budget_days)
                    self._start_if_silent(run, needed, *key, "edits of large wikis arrive", outcome)
        self._note_predictions(minute, edits, predictions, budget_days, outcome)
        return outcome

    def is_silent(self, key: tuple[str, Series]) -> bool:
        """Return whether a silence of a scope is open."""
        run = self._runs.get(key)
        return run is not None and run.is_silence

    def _follow(
        self, key: tuple[str, Series], minute: int, count: int, mean: float, outcome: SilenceChanges
    ) -> Run | None:
        """Return the run of a scope with one more minute; if the minute has events, end the run and return None."""
        run = self._runs.get(key)
        if count:
            if run is not None:
                del self._runs[key]
                if run.is_silence:
                    outcome.ended.append(Silence(*key, run.since))
            return None
        if run is None:
            run = self._runs[key] = Run(minute)
        run.expected += mean
        run.minutes += 1
        return run

    @staticmethod
    def _start_if_silent(  # noqa: PLR0913, PLR0917 - the parts of a silence
        run: Run, needed: float, scope: str, series: Series, cause: str, outcome: SilenceChanges
    ) -> None:
        if not run.is_silence and run.expected >= needed:
            run.is_silence = True
            outcome.started.append(Silence(scope, series, run.since, cause))

    def _note_predictions(
        self, minute: int, edits: int, predictions: int, budget_days: float, outcome: SilenceChanges
    ) -> None:
        scored = self._predictions / self._edits if self._edits >= _LEAST_EDITS else 0.0
        key = (ALL_WIKIS, Series.PREDICTIONS)
        run = self._follow(key, minute, predictions, edits * scored, outcome) if scored else None
        if (
            run is None
        ):  # during a run the missing predictions would lower the proportion, and so hide the silence
            self._edits = _RATIO_KEEP * self._edits + edits
            self._predictions = _RATIO_KEEP * self._predictions + predictions
        elif run.minutes >= LEAST_PREDICTION_MINUTES:
            cause = "edits arrive, predictions do not: the producer of predictions is probably down"
            self._start_if_silent(
                run, least_expected_events(PREDICTION_ALPHA, budget_days), *key, cause, outcome
            )

    def forget(self, watched: AbstractSet[str]) -> None:
        """Remove the runs of all scopes but these."""
        self._runs = {key: run for key, run in self._runs.items() if key[0] in watched}

    def as_state(self) -> dict[str, Any]:
        """Return the state to keep across a restart."""
        return {
            "runs": [
                [*key, run.since, run.expected, run.minutes, run.canaries, run.is_silence]
                for key, run in self._runs.items()
            ],
            "edits": self._edits,
            "predictions": self._predictions,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a kept state."""
        self._runs = {(scope, Series(series)): Run(*rest) for scope, series, *rest in state["runs"]}
        self._edits, self._predictions = state["edits"], state["predictions"]


def _cause(run: Run) -> str:
    if run.canaries:
        return "only canary events arrive: the producer of page_change events is probably down"
    return "no edits of any wiki arrive"


def least_expected_events(alpha: float, budget_days: float) -> float:
    """Return the least M of a run that is silence: (1 + α·M)^(−1/α) = 1/(1440·B)."""
    alpha = max(alpha, LEAST_ALPHA)
    return float(math.expm1(alpha * math.log(MINUTES_PER_DAY * budget_days)) / alpha)
