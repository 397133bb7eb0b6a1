"""The tables and the plot of the overlap of listed bots and a model."""

from collections.abc import Sequence

from revertrisk.reports.daily import DailyNumber
from revertrisk.reports.document import Plot, Series, Table, daily_mean_text, figure_texts, seconds_text
from revertrisk.reports.overlap import Overlap


def overlap_table(overlap: Sequence[Overlap]) -> Table:
    """Return per wiki how many edits bots reverted and the model flags, and both shares."""
    rows = tuple(
        (
            each.wiki_id,
            f"{each.days:,}",
            *daily_texts(each.a_day["edits_reverted_by_bot"]),
            share,
            *daily_texts(each.a_day["edits_flagged"]),
            of_flagged,
        )
        for each in overlap
        for share, of_flagged in [
            figure_texts(each.share_of_bot_reverts_flagged, each.share_of_flagged_reverted_by_bots)
        ]
    )
    header = (
        "wiki",
        "days",
        "edits per day reverted by bots",
        "median",
        "most frequent",
        "share of these flagged by the model",
        "edits per day flagged",
        "median",
        "most frequent",
        "share of these reverted by bots",
    )
    note = "This is the question of T374698 on phabricator.wikimedia.org. docs/queries/T374698.sql is one query for it."
    return Table("Overlap of bots and model", header, rows, note)


def daily_texts(daily: DailyNumber) -> tuple[str, str, str]:
    """Return a number per day as three cells: mean, median, most frequent."""
    return (
        daily_mean_text(daily.mean),
        f"{daily.mean.median:g}",
        "" if daily.mode is None else f"{daily.mode}",
    )


def parts_table(overlap: Sequence[Overlap]) -> Table:
    """Return per wiki the reverted edits, by who reverted them and whether the model flags them."""
    names = {
        "reverted": "edits reverted",
        "bot_and_model": "by bots, flagged",
        "bot_only": "by bots, not flagged",
        "bot_without_score": "by bots, no score",
        "model_only": "by others, flagged",
        "neither": "by others, not flagged",
        "others_without_score": "by others, no score",
        "flagged_not_reverted": "flagged, not reverted",
    }
    rows = tuple((each.wiki_id, *(f"{each.counts[name]:,}" for name in names)) for each in overlap)
    return Table(
        "Reverted edits, by who reverted them and whether the model flags them",
        ("wiki", *names.values()),
        rows,
        "The column of reverted edits is the sum of the six columns after it. The last column is not included.",
    )


def seconds_table(overlap: Sequence[Overlap]) -> Table:
    """Return per wiki the median times to the first revert."""
    names = {
        "by_listed_bots": "by listed bots",
        "by_people_where_flagged": "by people, of flagged edits",
    }
    rows = tuple(
        (each.wiki_id, *(seconds_text(each.median_seconds[name]) for name in names)) for each in overlap
    )
    return Table(
        "Median time to the first revert, in seconds",
        ("wiki", *names.values()),
        rows,
        "If the model reverted flagged edits, it would save about the difference on those that people revert now.",
    )


def overlap_plots(overlap: Sequence[Overlap]) -> list[Plot]:
    """Return the plot of the edits reverted by bots that the model flags, if there is a figure."""
    rows = [each for each in overlap if each.share_of_bot_reverts_flagged.value is not None]
    if not rows:
        return []
    figures = [each.share_of_bot_reverts_flagged for each in rows]
    series = Series(
        "",
        tuple(each.value or 0.0 for each in figures),
        tuple(float(place) for place in range(len(rows))),
        tuple(each.low for each in figures),
        tuple(each.high for each in figures),
    )
    title = "Share of the edits reverted by bots that the model flags"
    return [Plot(title, "share", "", (series,), rows=tuple(each.wiki_id for each in rows))]
