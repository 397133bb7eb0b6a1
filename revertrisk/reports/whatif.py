"""What a threshold would do on one wiki: how much it flags a day, what became of that, and who was there first."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from revertrisk.reports.cell import Ends, cause_share, reverter_figures, too_young
from revertrisk.reports.counted import median_seconds
from revertrisk.reports.days import ADay, a_day, whole_days
from revertrisk.reports.figures import LEAST, Figure
from revertrisk.reports.lake_edits import ModelVersion, Scored
from revertrisk.reports.watched import ANYBODY, PEOPLE, USER_KINDS, Booleans, Cause, Watched
from revertrisk.reports.wishes import Refusal, for_number, for_rate

THRESHOLDS: Final = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.87, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)
CANDIDATES: Final = tuple(round(0.5 + step / 100, 2) for step in range(50))
"""Of these a threshold for a share is chosen."""
EARLIER_SHARE: Final = 2 / 3
"""A threshold is chosen on this share of the days, and reported on the rest: the chosen days flatter it."""
FIRST: Final = {
    "people": Cause.REVERTED_BY_PERSON,
    "bots": Cause.REVERTED_BY_BOT,
    "accounts_that_act_on_the_score": Cause.REVERTED_BY_ACTING,
    "the_author": Cause.SELF_REVERTED,
    "deletion_of_the_page": Cause.DELETED,
}
"""Who or what ended the watch over an edit first."""


@dataclass(frozen=True, slots=True)
class OfKind:
    """What a threshold flags of one kind of user."""

    flagged_a_day: ADay
    share_reverted: Figure


@dataclass(frozen=True, slots=True)
class AtLimit:
    """What a threshold would do."""

    threshold: float
    flagged: int
    flagged_a_day: ADay
    share_reverted: Figure
    kinds: Mapping[str, OfKind]
    first: Mapping[str, Figure]
    """By a name of `FIRST`: the share of flagged edits that it came to first within the horizon."""
    seconds_saved: Figure
    """The median time that a flagged edit stood which a person reverted within the horizon."""
    hours_saved_a_day: ADay
    """The sum of these times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wished for: exactly one of these."""

    share_reverted: float | None = None
    """At least this share of the flagged edits."""
    a_day: float | None = None
    """At most this many flagged edits a day."""
    false_positive_rate: float | None = None
    """At most this share of the edits that nobody else reverted is flagged."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a chosen threshold does on some of the days."""

    days: int
    flagged_a_day: ADay
    share_reverted: Figure
    recall: Figure
    flagged_not_reverted: Figure


@dataclass(frozen=True, slots=True)
class Chosen:
    """A threshold for a wish, chosen on the earlier days."""

    wish: Wish
    threshold: float | None
    refusal: Refusal | None
    earlier: Part | None
    later: Part | None
    """The days that the choice did not see: these figures are to be expected."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The whole report on one wiki and model version."""

    model: ModelVersion
    wiki_id: str
    horizon_s: float
    n: int
    passed_over: int
    """Edits that Automoderator's rules pass over; 0 where the rules are not asked for."""
    thresholds: tuple[AtLimit, ...]
    chosen: tuple[Chosen, ...]


def what_if(
    scored: Scored,
    horizon: float,
    *,
    skip_rules: bool = False,
    wishes: Sequence[Wish] = (),
    thresholds: Sequence[float] = THRESHOLDS,
) -> WhatIf:
    """Make the report from the edits of one wiki that a model version scored; there must be one at least.

    With ``skip_rules`` edits are left out that Automoderator passes over: by bots and privileged editors,
    self-reverts, creations, null edits.
    """
    watched = scored.watched
    (wiki_id,) = watched.wikis
    passed_over = int(watched.is_passed_over.sum()) if skip_rules else 0
    days = whole_days(watched.day)
    if skip_rules:
        watched = watched.part(~watched.is_passed_over)
    ends = Ends.of(watched)
    return WhatIf(
        scored.model,
        wiki_id,
        horizon,
        len(watched),
        passed_over,
        tuple(_at_limit(watched, ends, horizon, each, days) for each in thresholds),
        tuple(choose(watched, horizon, wish, days) for wish in wishes),
    )


def _at_limit(
    watched: Watched, ends: Ends, horizon: float, threshold: float, days: tuple[int, int]
) -> AtLimit:
    above: Booleans = ends.probability > threshold
    flagged = ends.part(above)
    day, kind = watched.day[above], watched.kind[above]
    kinds = {
        name: OfKind(
            a_day(day[kind == number], None, days),
            reverter_figures(flagged.part(kind == number), horizon, ()).share_reverted,
        )
        for number, name in enumerate(USER_KINDS)
        if (watched.kind == number).any()
    }
    by_people = np.isin(flagged.cause, PEOPLE) & (flagged.seconds <= horizon)
    return AtLimit(
        threshold,
        len(flagged),
        a_day(day, None, days),
        reverter_figures(flagged, horizon, ()).share_reverted,
        kinds,
        {name: cause_share(flagged, horizon, "first", [cause]) for name, cause in FIRST.items()},
        median_seconds("seconds_saved", flagged.seconds[by_people], flagged.page[by_people]),
        a_day(day[by_people], flagged.seconds[by_people] / 3600, days),
    )


def choose(watched: Watched, horizon: float, wish: Wish, days: tuple[int, int]) -> Chosen:
    """Choose a threshold on the earlier days, and say what it does on them and on the later ones."""
    first, last = days
    until = first + math.floor((last - first + 1) * EARLIER_SHARE) - 1
    if until < first or until >= last:
        reason = (
            f"the record has {last - first + 1} whole days, 2 are needed: one to choose on, one to report"
        )
        return Chosen(wish, None, Refusal(reason), None, None)
    earlier = watched.part((watched.day >= first) & (watched.day <= until))
    found = _threshold(earlier, horizon, wish, until - first + 1)
    if isinstance(found, Refusal):
        return Chosen(wish, None, found, None, None)
    later = watched.part((watched.day > until) & (watched.day <= last))
    return Chosen(
        wish,
        found,
        None,
        _part(earlier, horizon, found, (first, until)),
        _part(later, horizon, found, (until + 1, last)),
    )


def _part(watched: Watched, horizon: float, threshold: float, days: tuple[int, int]) -> Part:
    ends = Ends.of(watched)
    (at,) = reverter_figures(ends, horizon, (threshold,)).thresholds
    return Part(
        days[1] - days[0] + 1,
        a_day(watched.day[ends.probability > threshold], None, days),
        at.share_reverted_flagged,
        at.recall,
        at.flagged_not_reverted,
    )


def _threshold(earlier: Watched, horizon: float, wish: Wish, days: int) -> float | Refusal:
    if wish.a_day is not None:
        return for_number(earlier.probability, days, wish.a_day)
    ends = Ends.of(earlier)
    if wish.false_positive_rate is not None:
        known = (ends.cause != Cause.OPEN) & (ends.seconds <= horizon) | (ends.age >= horizon)
        reverted = np.isin(ends.cause, ANYBODY) & (ends.seconds <= horizon)
        return for_rate(ends.probability[known], reverted[known], wish.false_positive_rate)
    return _for_share(ends, horizon, wish.share_reverted or 0.0)


def _for_share(ends: Ends, horizon: float, wished: float) -> float | Refusal:
    """Return the lowest candidate whose flagged edits have the share; a figure that is not shown counts for nothing."""
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
                too_few = _missing(share, threshold, wished)
            continue
        if share.value >= wished:
            return threshold
        if best is None or share.value > best[0]:
            best = share.value, threshold
    if too_few is not None:
        return too_few
    reached = "" if best is None else f": the highest is {best[0]:.1%}, above {best[1]:g}"
    return Refusal(f"no threshold from {CANDIDATES[0]} to {CANDIDATES[-1]} has that share{reached}")


def _missing(share: Figure, threshold: float, wished: float) -> Refusal:
    """Return how many flagged edits would show a share as wished, with 30 reverted and 30 others."""
    rarer = min(wished, 1 - wished)
    needed = math.ceil(LEAST / rarer) if rarer > 0 else None
    missing = None if needed is None else max(needed - share.n, 1)
    more = "" if missing is None else f"; about {missing} more flagged edits are needed"
    return Refusal(f"above {threshold:g}: {share.note}{more}", missing)
