"""The report on bots as people read it, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from revertrisk.reports.averages import AVERAGES
from revertrisk.reports.bot_rows import UNDONE_BY
from revertrisk.reports.bots import ALL, Bots, Reverts
from revertrisk.reports.bots import RULES as COUNTING_RULES
from revertrisk.reports.counted import Daily
from revertrisk.reports.document import (
    Document,
    Plot,
    Section,
    Series,
    Table,
    horizon_name,
    number_a_day,
    percent,
    shown,
    shown_seconds,
)
from revertrisk.reports.figures import DEFINITIONS, NOT_GOOD, RULES
from revertrisk.reports.overlap import Overlap

_WORDS: Final = {
    "share of the bots' that the model flags": "model_flags_of_bots",
    "share of the model's that the bots made": "bots_made_of_models",
    "share by bots": "bots_share",
    "reverted themselves": "bot_reverts_reverted",
    "seconds (median)": "median_seconds",
}


_NOTEBOOK: Final = (
    "Reverts left after each rule. The notebook's period is of edits, this report's of reverts. It counts temporary "
    "accounts and unknown authors as anonymous, an author without a known edit count as n/a, and who reverts the "
    "bots by the day of the first edit. There it counts the reverts that undid a bot's: one may undo several."
)


def bots_json(report: Bots) -> dict[str, Any]:
    """Return the whole report as JSON values."""
    rules = {"counting": dict(COUNTING_RULES), "averages": dict(AVERAGES)}
    return {"definitions": DEFINITIONS, "rules": RULES, "note": NOT_GOOD, **rules, **asdict(report)}


def bots_document(report: Bots) -> Document:
    """Return the report for people."""
    window = horizon_name(report.window_s)
    rules = ", of what Automoderator's rules do not pass over" if report.skip_rules else ""
    paragraphs = (
        f"Reverts within {window} of the edit, in content namespaces, without creations, null edits and self-reverts.",
        f"The model is {report.model_name}; it flags what scores above {report.threshold:g}{rules}.",
        RULES,
        NOT_GOOD,
    )
    sections = (
        Section("The bots", (), (_listed(report),)),
        Section(
            "Bots and the model",
            (
                "Counted are edits, by the day of the edit. The parts of the edits reverted add up to all of them.",
            ),
            (_overlap(report.overlap), _parts(report.overlap), _seconds(report.overlap)),
            tuple(_plots(report.overlap)),
        ),
        Section(
            "What bots revert, and who reverts them",
            ("Counted are reverts, by the day of the revert: one revert may undo several edits.",),
            (_reverts(report.reverts), _undone(report), _averages(report.reverts)),
        ),
        Section(
            "Beside the 2023 notebook",
            (_NOTEBOOK,),
            (_rules(report),),
        ),
    )
    definitions = {word: DEFINITIONS[name] for word, name in _WORDS.items()}
    averages = {name.replace("_", " "): text for name, text in AVERAGES.items()}
    definitions |= averages | COUNTING_RULES
    title, queries = "Anti-vandalism bots beside the model", ("overlap", "bot_reverts")
    return Document(title, paragraphs, sections, definitions, queries)


def _listed(report: Bots) -> Table:
    rows = tuple(
        (each.wiki_id, each.name, each.valid_from or "always", each.valid_to or "still", each.acts_on)
        for each in report.listed
    )
    return Table("Listed", ("wiki", "bot", "from", "to", "acts on"), rows)


def _overlap(overlap: Sequence[Overlap]) -> Table:
    rows = tuple(
        (
            each.wiki_id,
            f"{each.days:,}",
            *_numbers(each.a_day["edits_reverted_by_bot"]),
            shown(each.model_flags_of_bots),
            *_numbers(each.a_day["edits_flagged"]),
            shown(each.bots_made_of_models),
        )
        for each in overlap
    )
    header = (
        "wiki",
        "days",
        "edits that bots reverted, a day",
        "median",
        "mode",
        "share of the bots' that the model flags",
        "edits flagged, a day",
        "median",
        "mode",
        "share of the model's that the bots made",
    )
    return Table("What they have in common (T374698)", header, rows)


def _numbers(daily: Daily) -> tuple[str, str, str]:
    return number_a_day(daily.mean), f"{daily.mean.median:g}", "" if daily.mode is None else f"{daily.mode}"


def _parts(overlap: Sequence[Overlap]) -> Table:
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
        "Edits reverted, by whom and whether flagged",
        ("wiki", *names.values()),
        rows,
        "The last column is not a part of the first.",
    )


def _seconds(overlap: Sequence[Overlap]) -> Table:
    names = {
        "by_listed_bots": "by listed bots",
        "by_people_where_flagged": "by people, where the model flags",
    }
    rows = tuple(
        (each.wiki_id, *(shown_seconds(each.median_seconds[name]) for name in names)) for each in overlap
    )
    return Table(
        "Seconds (median) to the first revert",
        ("wiki", *names.values()),
        rows,
        "A model that acts would save about the difference on what people revert now.",
    )


def _plots(overlap: Sequence[Overlap]) -> list[Plot]:
    rows = [each for each in overlap if each.model_flags_of_bots.value is not None]
    if not rows:
        return []
    figures = [each.model_flags_of_bots for each in rows]
    series = Series(
        "",
        tuple(each.value or 0.0 for each in figures),
        tuple(float(place) for place in range(len(rows))),
        tuple(each.low for each in figures),
        tuple(each.high for each in figures),
    )
    title = "Share of the bots' reverts that the model flags"
    return [Plot(title, "share", "", (series,), rows=tuple(each.wiki_id for each in rows))]


def _key(each: Reverts) -> str:
    parts = [each.wiki_id, each.bot if each.bot != ALL else "listed bots"]
    if each.kind != ALL:
        parts.append(each.kind + (f" {each.edit_bucket}" if each.edit_bucket != ALL else ""))
    return ", ".join(parts)


def _shown(reverts: Sequence[Reverts]) -> list[Reverts]:
    """Leave out the cells of single bots on wikis that have several: they are in the JSON."""
    of_all = {each.wiki_id for each in reverts if each.bot == ALL}
    return [each for each in reverts if ALL in {each.bot, each.kind} or each.wiki_id not in of_all]


def _reverts(reverts: Sequence[Reverts]) -> Table:
    rows = tuple(
        (
            _key(each),
            f"{each.reverts:,}",
            f"{each.bot_reverts:,}",
            shown(each.bots_share),
            *_numbers(each.a_day["bot_reverts"]),
            shown(each.share_reverted),
        )
        for each in _shown(reverts)
    )
    header = (
        "wiki, bot, reverted editor",
        "reverts",
        "by bots",
        "share by bots",
        "a day",
        "median",
        "mode",
        "reverted themselves",
    )
    return Table("Reverts", header, rows)


def _undone(report: Bots) -> Table:
    rows = [
        (
            _key(each),
            f"{each.bot_reverts_reverted:,}",
            *(f"{each.undone_by[name]:,}" for name in UNDONE_BY if name),
        )
        for each in _shown(report.reverts)
        if each.bot_reverts_reverted
    ]
    means = ", ".join(
        f"{kind} {percent(value)}" for kind, value in report.mean_over_cells.items() if value is not None
    )
    note = f"By the base editor, mean over cells: {means}." if means else ""
    header = ("wiki, bot, reverted editor", "bot reverts reverted", *(name for name in UNDONE_BY if name))
    return Table("Who reverted the bots' reverts", header, tuple(rows), note)


def _averages(reverts: Sequence[Reverts]) -> Table:
    rows = tuple(
        (
            _key(each),
            *(
                "" if value is None else percent(value)
                for measure in ("bots_share", "bot_reverts_reverted")
                for value in each.averages[measure].values()
            ),
        )
        for each in reverts
        if each.kind == ALL
    )
    header = (
        "wiki, bot",
        "share by bots, ratio of sums",
        "mean of daily shares",
        "reverted themselves, ratio of sums",
        "mean of daily shares",
    )
    return Table("The same shares, averaged by two rules", header, rows)


def _rules(report: Bots) -> Table:
    rows = tuple(
        (
            f"{each.wiki_id}, {each.rule}",
            f"{each.reverts:,}",
            f"{each.bot_reverts:,}",
            f"{each.bot_reverts_reverted:,}",
        )
        for each in report.rules
    )
    return Table(
        "From the notebook's count to this report's",
        ("wiki, rule", "reverts", "by bots", "of these reverted"),
        rows,
    )
