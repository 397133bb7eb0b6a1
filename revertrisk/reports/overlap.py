"""The overlap of listed bots and a model: edits that bots reverted, edits that the model flags, and both."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from revertrisk.reports.bot_rows import OverlapRows
from revertrisk.reports.daily import DailyNumber, count_by_day, daily_number, day_name
from revertrisk.reports.figures import Figure, median_seconds, share_of_rows


@dataclass(frozen=True, slots=True)
class OverlapDay:
    """The reverted edits of a wiki and day, by who reverted them and whether the model flags them.

    ``reverted`` is the sum of the six numbers that follow it.
    """

    wiki_id: str
    day: str
    reverted: int
    bot_and_model: int
    """Reverted by a listed bot, and flagged."""
    bot_only: int
    """Reverted by a listed bot, scored, and not flagged."""
    bot_without_score: int
    """Reverted by a listed bot, and not scored."""
    model_only: int
    """Reverted by others, and flagged."""
    neither: int
    """Reverted by others, scored, and not flagged."""
    others_without_score: int
    """Reverted by others, and not scored."""
    flagged_not_reverted: int
    """Flagged, and not reverted within the window. Not included in ``reverted``."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """The overlap of the listed bots of a wiki and the model."""

    wiki_id: str
    days: int
    counts: Mapping[str, int]
    """The sums of the numbers of `OverlapDay`."""
    a_day: Mapping[str, DailyNumber]
    """Edits per day that the bots reverted, and that the model flags."""
    share_of_bot_reverts_flagged: Figure
    share_of_flagged_reverted_by_bots: Figure
    median_seconds: Mapping[str, Figure]
    """Time to the first revert: by the listed bots, and by people for edits that the model flags."""


def overlap_days(wiki_id: str, rows: OverlapRows, days: tuple[int, int]) -> Iterator[OverlapDay]:
    """Yield each day of a wiki; ``days`` is the first and the last one, in days since 1970."""
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
    columns = [count_by_day(rows.edit_day[each], days) for each in members]
    for place in range(days[1] - days[0] + 1):
        yield OverlapDay(wiki_id, day_name(days[0] + place), *(int(column[place]) for column in columns))


def overlap_of_wiki(
    wiki_id: str, rows: OverlapRows, of_days: Sequence[OverlapDay], days: tuple[int, int]
) -> Overlap:
    """Return the overlap on a wiki from its first to its last day. ``of_days`` can have other wikis too."""
    own = [each for each in of_days if each.wiki_id == wiki_id]
    names = [name for name in OverlapDay.__slots__ if name not in {"wiki_id", "day"}]
    counts = {name: sum(getattr(each, name) for each in own) for name in names}
    bot, people = rows.by_listed_bot, rows.is_reverted & ~rows.by_bot
    return Overlap(
        wiki_id,
        len(own),
        counts,
        {
            "edits_reverted_by_bot": daily_number(count_by_day(rows.edit_day[bot], days)),
            "edits_flagged": daily_number(count_by_day(rows.edit_day[rows.is_flagged], days)),
        },
        share_of_rows(
            "share_of_bot_reverts_flagged", rows.is_flagged, bot & rows.is_scored, rows.page, "flagged"
        ),
        share_of_rows("share_of_flagged_reverted_by_bots", bot, rows.is_flagged, rows.page, "by bots"),
        {
            name: median_seconds("median_seconds", rows.seconds[members], rows.page[members])
            for name, members in (
                ("by_listed_bots", bot),
                ("by_people_where_flagged", people & rows.is_flagged),
            )
        },
    )
