"""What a threshold would do on one wiki: flagged edits per day, their outcomes, and who reverted them first."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from revertrisk.reports.cell import Ends, cause_share, reverter_figures, too_young
from revertrisk.reports.daily import DailyMean, daily_mean_of, day_name, whole_days
from revertrisk.reports.figures import MIN_EDITS, Figure, median_seconds
from revertrisk.reports.lake_edits import ModelVersion, Scored
from revertrisk.reports.thresholds import Refusal, threshold_for_daily_number, threshold_for_rate
from revertrisk.reports.watched import ANYONE, PEOPLE, USER_KINDS, Booleans, Cause, Watched

THRESHOLDS: Final = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.87, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)
CANDIDATES: Final = tuple(round(0.5 + step / 100, 2) for step in range(50))
"""A threshold for a share reverted is chosen from these."""
EARLIER_SHARE: Final = 2 / 3
"""A threshold is chosen on this share of the days and reported on the rest.

On the days that it is chosen on, its figures are better than can be expected.
"""
ENDED_BY: Final = {
    "people": Cause.REVERTED_BY_PERSON,
    "bots": Cause.REVERTED_BY_BOT,
    "accounts_that_act_on_the_score": Cause.REVERTED_BY_ACTING,
    "the_author": Cause.SELF_REVERTED,
    "deletion_of_the_page": Cause.DELETED,
}
"""What came first after an edit."""


@dataclass(frozen=True, slots=True)
class KindEffect:
    """The edits by one kind of user that a threshold flags."""

    flagged_a_day: DailyMean
    share_reverted: Figure


@dataclass(frozen=True, slots=True)
class ThresholdEffect:
    """What a threshold would do."""

    threshold: float
    flagged: int
    flagged_a_day: DailyMean
    share_reverted: Figure
    kinds: Mapping[str, KindEffect]
    ended_by: Mapping[str, Figure]
    """By the keys of `ENDED_BY`: the share of flagged edits for which this came first, within the horizon."""
    seconds_saved: Figure
    """Median time from a flagged edit to its revert, over those that a person reverted within the horizon."""
    hours_saved_a_day: DailyMean
    """Sum of these times per day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdTarget:
    """The target of a threshold: exactly one of the three fields is set."""

    share_reverted: float | None = None
    """At least this share of the flagged edits are reverted."""
    a_day: float | None = None
    """At most this many edits are flagged per day."""
    false_positive_rate: float | None = None
    """At most this share of the edits that no one else reverted is flagged."""


@dataclass(frozen=True, slots=True)
class Part:
    """The effect of a chosen threshold on a part of the days."""

    days: int
    flagged_a_day: DailyMean
    share_reverted: Figure
    recall: Figure
    flagged_not_reverted: Figure


@dataclass(frozen=True, slots=True)
class Chosen:
    """A threshold for a target, chosen on the earlier days; or the reason why there is none."""

    target: ThresholdTarget
    threshold: float | None
    refusal: Refusal | None
    earlier: Part | None
    later: Part | None
    """The days that were not used for the choice: expect these figures."""
    flags_every_edit: bool = False
    """Whether every edit is above the threshold: even this many edits do not reach the number per day."""
    is_kept: bool | None = None
    """Whether the target is kept on the later days; None if this is not known."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The whole report on one wiki and model version."""

    model: ModelVersion
    wiki_id: str
    horizon_s: float
    n: int
    days: tuple[str, str]
    """The first and the last whole day: the days of the numbers per day."""
    skipped_by_automoderator: int
    """How many edits are left out because Automoderator skips them; 0 if its rules are not applied."""
    thresholds: tuple[ThresholdEffect, ...]
    chosen: tuple[Chosen, ...]


def what_if(
    scored: Scored,
    horizon: float,
    *,
    automoderator_rules: bool = False,
    targets: Sequence[ThresholdTarget] = (),
    thresholds: Sequence[float] = THRESHOLDS,
) -> WhatIf:
    """Make the report from the edits of one wiki that a model version scored; there must be at least one.

    With ``automoderator_rules``, edits that Automoderator skips are left out: edits by bots and privileged editors,
    self-reverts, creations, and null edits. ``horizon`` is in seconds.
    """
    watched = scored.watched
    (wiki_id,) = watched.wikis
    skipped = int(watched.is_skipped_by_automoderator.sum()) if automoderator_rules else 0
    days = whole_days(watched.day)
    if automoderator_rules:
        watched = watched.part(~watched.is_skipped_by_automoderator)
    ends = Ends.of(watched)
    return WhatIf(
        scored.model,
        wiki_id,
        horizon,
        len(watched),
        (day_name(days[0]), day_name(days[1])),
        skipped,
        tuple(_effect(watched, ends, horizon, each, days) for each in thresholds),
        tuple(_choose(watched, horizon, target, days) for target in targets),
    )


def _effect(
    watched: Watched, ends: Ends, horizon: float, threshold: float, days: tuple[int, int]
) -> ThresholdEffect:
    above: Booleans = ends.probability > threshold
    flagged = ends.part(above)
    day, kind = watched.day[above], watched.kind[above]
    kinds = {
        name: KindEffect(
            daily_mean_of(day[kind == number], None, days),
            reverter_figures(flagged.part(kind == number), horizon, ()).share_reverted,
        )
        for number, name in enumerate(USER_KINDS)
        if (watched.kind == number).any()
    }
    by_people = np.isin(flagged.cause, PEOPLE) & (flagged.seconds <= horizon)
    return ThresholdEffect(
        threshold,
        len(flagged),
        daily_mean_of(day, None, days),
        reverter_figures(flagged, horizon, ()).share_reverted,
        kinds,
        {name: cause_share(flagged, horizon, "ended_by", [cause]) for name, cause in ENDED_BY.items()},
        median_seconds("seconds_saved", flagged.seconds[by_people], flagged.page[by_people]),
        daily_mean_of(day[by_people], flagged.seconds[by_people] / 3600, days),
    )


def _choose(watched: Watched, horizon: float, target: ThresholdTarget, days: tuple[int, int]) -> Chosen:
    """Choose a threshold on the earlier days, and compute its effect on these and on the later days."""
    first, last = days
    until = first + math.floor((last - first + 1) * EARLIER_SHARE) - 1
    if until < first or until >= last:
        reason = f"the record has {last - first + 1} whole days, 2 are needed: one for the choice, one for the report"
        return Chosen(target, None, Refusal(reason), None, None)
    earlier = watched.part((watched.day >= first) & (watched.day <= until))
    found = _threshold(earlier, horizon, target, until - first + 1)
    if isinstance(found, Refusal):
        return Chosen(target, None, found, None, None)
    later = watched.part((watched.day > until) & (watched.day <= last))
    on_later = _part(later, horizon, found, (until + 1, last))
    return Chosen(
        target,
        found,
        None,
        _part(earlier, horizon, found, (first, until)),
        on_later,
        flags_every_edit=bool((watched.probability > found).all()),
        is_kept=_is_kept(target, on_later),
    )


def _is_kept(target: ThresholdTarget, part: Part) -> bool | None:
    if target.a_day is not None:
        return part.flagged_a_day.value <= target.a_day
    if target.false_positive_rate is not None:
        rate = part.flagged_not_reverted.value
        return None if rate is None else rate <= target.false_positive_rate
    share = part.share_reverted.value
    return None if share is None or target.share_reverted is None else share >= target.share_reverted


def _part(watched: Watched, horizon: float, threshold: float, days: tuple[int, int]) -> Part:
    ends = Ends.of(watched)
    (at,) = reverter_figures(ends, horizon, (threshold,)).thresholds
    return Part(
        days[1] - days[0] + 1,
        daily_mean_of(watched.day[ends.probability > threshold], None, days),
        at.share_reverted_flagged,
        at.recall,
        at.flagged_not_reverted,
    )


def _threshold(earlier: Watched, horizon: float, target: ThresholdTarget, days: int) -> float | Refusal:
    if target.a_day is not None:
        return threshold_for_daily_number(earlier.probability, days, target.a_day)
    ends = Ends.of(earlier)
    if target.false_positive_rate is not None:
        known = (ends.cause != Cause.OPEN) & (ends.seconds <= horizon) | (ends.age >= horizon)
        reverted = np.isin(ends.cause, ANYONE) & (ends.seconds <= horizon)
        return threshold_for_rate(ends.probability[known], reverted[known], target.false_positive_rate)
    return _for_share(ends, horizon, target.share_reverted or 0.0)


def _for_share(ends: Ends, horizon: float, share_wanted: float) -> float | Refusal:
    """Return the lowest candidate whose flagged edits have the share; a candidate without a figure is not chosen."""
    young = too_young(ends, horizon)
    if young is not None:
        return Refusal(young)
    best: tuple[float, float] | None = None
    too_few: Refusal | None = None
    for threshold in CANDIDATES:
        flagged = ends.part(ends.probability > threshold)
        share = reverter_figures(flagged, horizon, ()).share_reverted
        if share.value is None:
            if too_few is None:
                too_few = _missing(share, threshold, share_wanted)
            continue
        if share.value >= share_wanted:
            return threshold
        if best is None or share.value > best[0]:
            best = share.value, threshold
    if too_few is not None:
        return too_few
    reached = "" if best is None else f": the highest is {best[0]:.1%}, above {best[1]:g}"
    return Refusal(f"no threshold from {CANDIDATES[0]} to {CANDIDATES[-1]} reaches that share{reached}")


def _missing(share: Figure, threshold: float, share_wanted: float) -> Refusal:
    """Return how many more flagged edits are needed, so that 30 are reverted and 30 are not at the wanted share."""
    rarer = min(share_wanted, 1 - share_wanted)
    needed = math.ceil(MIN_EDITS / rarer) if rarer > 0 else None
    missing = None if needed is None else max(needed - share.n, 1)
    more = "" if missing is None else f"; about {missing} more flagged edits are needed"
    return Refusal(f"above {threshold:g}: {share.note}{more}", missing)
