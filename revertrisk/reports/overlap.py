"""What the listed bots of a wiki and a model have in common."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from revertrisk.reports.averages import by_day
from revertrisk.reports.bot_rows import OverlapRows
from revertrisk.reports.counted import Daily, daily, median_seconds, share_of
from revertrisk.reports.figures import Figure


@dataclass(frozen=True, slots=True)
class OverlapDay:
    """The reverted edits of a wiki and day, by who reverted them and whether the model flags them; they add up."""

    wiki_id: str
    day: str
    reverted: int
    bot_and_model: int
    bot_only: int
    bot_without_score: int
    model_only: int
    """Reverted by others, and flagged."""
    neither: int
    """Reverted by others, scored, and not flagged."""
    others_without_score: int
    flagged_not_reverted: int
    """Flagged and not reverted within the window: not a part of ``reverted``."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """What the listed bots of a wiki and the model have in common."""

    wiki_id: str
    days: int
    counts: Mapping[str, int]
    """The sums of `OverlapDay`."""
    a_day: Mapping[str, Daily]
    """Of the edits that the bots reverted, and of those that the model flags."""
    model_flags_of_bots: Figure
    bots_made_of_models: Figure
    median_seconds: Mapping[str, Figure]
    """To the first revert: by the listed bots, and by people where the model flags."""


def overlap_days(wiki_id: str, rows: OverlapRows) -> Iterator[OverlapDay]:
    """Yield the days of a wiki, from its first to its last edit."""
    if not len(rows.page):
        return
    days = int(rows.edit_day.min()), int(rows.edit_day.max())
    bot, flagged, scored = rows.by_listed_bot, rows.is_flagged, rows.is_scored
    others = rows.is_reverted & ~bot
    members = (
        rows.is_reverted,
        bot & flagged,
        bot & scored & ~flagged,
        bot & ~scored,
        others & flagged,
        others & scored & ~flagged,
        others & ~scored,
        flagged & ~rows.is_reverted,
    )
    columns = [by_day(rows.edit_day[each], days) for each in members]
    for place in range(days[1] - days[0] + 1):
        day = str(np.datetime64(days[0] + place, "D"))
        yield OverlapDay(wiki_id, day, *(int(column[place]) for column in columns))


def overlap(wiki_id: str, rows: OverlapRows, days: Sequence[OverlapDay]) -> Overlap:
    """Sum up a wiki, of which there is one edit at least."""
    own = [each for each in days if each.wiki_id == wiki_id]
    names = [name for name in OverlapDay.__slots__ if name not in {"wiki_id", "day"}]
    counts = {name: sum(getattr(each, name) for each in own) for name in names}
    span = int(rows.edit_day.min()), int(rows.edit_day.max())
    bot, people = rows.by_listed_bot, rows.is_reverted & ~rows.by_bot
    return Overlap(
        wiki_id,
        len(own),
        counts,
        {
            "edits_reverted_by_bot": daily(by_day(rows.edit_day[bot], span)),
            "edits_flagged": daily(by_day(rows.edit_day[rows.is_flagged], span)),
        },
        share_of("model_flags_of_bots", rows.is_flagged, bot & rows.is_scored, rows.page, "flagged"),
        share_of("bots_made_of_models", bot, rows.is_flagged, rows.page, "by bots"),
        {
            name: median_seconds("median_seconds", rows.seconds[members], rows.page[members])
            for name, members in (
                ("by_listed_bots", bot),
                ("by_people_where_flagged", people & rows.is_flagged),
            )
        },
    )
