"""Silence over many wikis: found in minutes on a large one, hardly ever by chance at night."""

import numpy as np
import pytest

from revertrisk.alerts.silence import SilenceChanges, SilenceDetector
from revertrisk.alerts.simulate import correlated_rates

WIKIS = 342
RATES = {f"w{number}": 80.0 / (number + 1) ** 1.2 for number in range(WIKIS)}
"""Edits a minute: the largest 80, most of them a few an hour."""
BUDGET_DAYS = 14.0 * WIKIS * 2
NIGHT = 0.4
"""Times the day's mean."""


def noted(
    quiet: SilenceDetector, minute: int, counts: dict[str, int], usual: dict[str, float], alpha: float
) -> SilenceChanges:
    return quiet.note(
        minute,
        usual=usual,
        alphas=dict.fromkeys(usual, alpha),
        counts=counts,
        edits=sum(counts.values()),
        predictions=0,
        canaries=1,
        budget_days=BUDGET_DAYS,
    )


def test_a_large_wiki_is_found_silent_within_three_minutes() -> None:
    """Without an edit of a wiki that has 60 a minute, the message is due when the third minute is over."""
    quiet = SilenceDetector()
    usual = RATES | {"enwiki": 60.0}
    for minute in range(5):
        assert not noted(quiet, minute, dict.fromkeys(usual, 1), usual, 0.05).started
    found = []
    for minute in range(5, 8):
        outcome = noted(quiet, minute, dict.fromkeys(usual, 1) | {"enwiki": 0}, usual, 0.05)
        found += [(minute, silence.scope) for silence in outcome.started]
    assert [scope for _, scope in found] == ["enwiki"]


@pytest.mark.ci("silence")
def test_nights_make_no_alarm() -> None:
    """342 wikis in 30 nights of eight hours, with rates that fluctuate (α = .05, ρ = .98): at most one alarm."""
    rng = np.random.default_rng(31)
    quiet = SilenceDetector()
    means = np.array(list(RATES.values())) * NIGHT
    usual = dict(zip(RATES, means.tolist(), strict=True))
    alarms = 0
    for night in range(30):
        rates = correlated_rates(rng, (WIKIS, 480), 0.05, 0.98)
        counts = rng.poisson(means[:, None] * rates)
        for minute in range(480):
            of_minute = dict(zip(RATES, counts[:, minute].tolist(), strict=True))
            alarms += len(noted(quiet, night * 1440 + minute, of_minute, usual, 0.05).started)
    assert alarms <= 1
