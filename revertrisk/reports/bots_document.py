"""The report on bots: as a document for people, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any, Final

from revertrisk.reports.bot_rows import UNDONE_BY
from revertrisk.reports.bots import ALL, Bots, Reverts
from revertrisk.reports.counting_rules import COUNTING_RULES
from revertrisk.reports.daily import AVERAGES
from revertrisk.reports.document import (
    Document,
    Section,
    Table,
    figure_texts,
    horizon_name,
    percent,
)
from revertrisk.reports.figures import DEFINITIONS, NOT_REVERTED, RULES
from revertrisk.reports.overlap_document import (
    daily_texts,
    overlap_plots,
    overlap_table,
    parts_table,
    seconds_table,
)

_WORDS: Final = {
    "share of these flagged by the model": "share_of_bot_reverts_flagged",
    "share of these reverted by bots": "share_of_flagged_reverted_by_bots",
    "share by bots": "bots_share",
    "share of bot reverts reverted": "bot_reverts_reverted",
    "median time to the first revert": "median_seconds",
}
_RULE_NAMES: Final = {
    "notebook": "of the notebook",
    "self-reverts": "self-reverts",
    "null edits": "null edits",
    "validity": "days of the list",
}
"""The names of `COUNTING_RULES` in the table."""
_NOTEBOOK: Final = (
    "The 2023 notebook is Wikimedia's study of its anti-vandalism bots (T341857 on phabricator.wikimedia.org). The "
    "table shows how many reverts are left after each rule. The notebook selects by the day of the edit, this report "
    "by the day of the revert. The notebook counts temporary accounts and unknown authors as anonymous, and an author "
    "with an unknown edit count as n/a. For reverts of bot reverts it uses the day of the first edit, and it counts "
    "the edits that reverted a bot; one such edit can revert several bot reverts."
)


def bots_json(report: Bots) -> dict[str, Any]:
    """Return the whole report as JSON values."""
    rules = {"counting": dict(COUNTING_RULES), "averages": dict(AVERAGES)}
    return {"definitions": DEFINITIONS, "rules": RULES, "note": NOT_REVERTED, **rules, **asdict(report)}


def bots_document(report: Bots) -> Document:
    """Return the report for people."""
    window = horizon_name(report.window_s)
    rules = ", except edits that Automoderator skips" if report.automoderator_rules else ""
    paragraphs = (
        f"Reverts within {window} of the edit, in content namespaces, without creations, null edits and self-reverts.",
        f"The model is {report.model_name}. It flags edits with a score above {report.threshold:g}{rules}.",
        RULES,
        NOT_REVERTED,
    )
    sections = (
        Section("The bots", _without_days(report), (_listed(report), _days(report))),
        Section(
            "Bots and the model",
            ("This section counts edits by the day of the edit. A day without any counts as 0.",),
            (overlap_table(report.overlap), parts_table(report.overlap), seconds_table(report.overlap)),
            tuple(overlap_plots(report.overlap)),
        ),
        Section(
            "Reverts by bots, and who reverts them",
            ("This section counts reverts by the day of the revert. One revert can revert several edits.",),
            (_reverts(report.reverts), _undone(report), _averages(report.reverts)),
        ),
        Section(
            "Comparison with the 2023 notebook",
            (_NOTEBOOK,),
            (_rules(report),),
        ),
    )
    definitions = {word: DEFINITIONS[name] for word, name in _WORDS.items()}
    averages = {name.replace("_", " "): text for name, text in AVERAGES.items() if name != "mode"}
    averages["most frequent"] = AVERAGES["mode"]
    definitions |= averages
    title, queries = "Anti-vandalism bots compared with a model", ("overlap", "bot_reverts")
    return Document(title, paragraphs, sections, definitions, queries)


def _listed(report: Bots) -> Table:
    rows = tuple(
        (each.wiki_id, each.name, each.valid_from or "no limit", each.valid_to or "no limit", each.acts_on)
        for each in report.listed
        if each.wiki_id in report.days
    )
    note = "A bot that acts on the model reverts edits because of their score, as Automoderator does."
    return Table("Listed bots", ("wiki", "bot", "from", "to", "acts on"), rows, note)


def _days(report: Bots) -> Table:
    rows = tuple(
        (wiki_id, *ends, f"{(date.fromisoformat(ends[1]) - date.fromisoformat(ends[0])).days + 1:,}")
        for wiki_id, ends in report.days.items()
    )
    note = "They are the same for all thresholds. The first and the last day of the record can be incomplete."
    return Table("Days of the period that are in the record", ("wiki", "from", "to", "days"), rows, note)


def _without_days(report: Bots) -> tuple[str, ...]:
    wikis = sorted({each.wiki_id for each in report.listed} - set(report.days))
    return (f"Listed, but without page_change events in the period: {', '.join(wikis)}.",) if wikis else ()


def _key(each: Reverts) -> str:
    parts = [each.wiki_id, each.bot if each.bot != ALL else "listed bots"]
    if each.kind != ALL:
        parts.append(each.kind + (f" {each.edit_bucket}" if each.edit_bucket != ALL else ""))
    return ", ".join(parts)


def _shown(reverts: Sequence[Reverts]) -> list[Reverts]:
    """Return the cells that are shown. Single bots are left out on wikis that have several; the JSON has them."""
    of_all = {each.wiki_id for each in reverts if each.bot == ALL}
    return [each for each in reverts if ALL in {each.bot, each.kind} or each.wiki_id not in of_all]


def _reverts(reverts: Sequence[Reverts]) -> Table:
    rows = tuple(
        (
            _key(each),
            f"{each.reverts:,}",
            f"{each.bot_reverts:,}",
            by_bots,
            *daily_texts(each.a_day["bot_reverts"]),
            reverted,
        )
        for each in _shown(reverts)
        for by_bots, reverted in [figure_texts(each.bots_share, each.share_reverted)]
    )
    header = (
        "wiki, bot, reverted editor",
        "reverts",
        "by bots",
        "share by bots",
        "by bots per day",
        "median",
        "most frequent",
        "share of bot reverts reverted",
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
    note = "The base editor is the author of the edit that the bot reverted."
    note += f" By the base editor, mean over cells: {means}." if means else ""
    header = (
        "wiki, bot, reverted editor",
        "bot reverts that were reverted",
        *(name for name in UNDONE_BY if name),
    )
    return Table("Who reverted the reverts by bots", header, tuple(rows), note)


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
        "share of bot reverts reverted, ratio of sums",
        "mean of daily shares",
    )
    return Table("The same shares, averaged by two rules", header, rows)


def _rules(report: Bots) -> Table:
    rows = tuple(
        (
            f"{each.wiki_id}, {_RULE_NAMES[each.rule]}",
            f"{each.reverts:,}",
            f"{each.bot_reverts:,}",
            f"{each.bot_reverts_reverted:,}",
        )
        for each in report.rules
    )
    return Table(
        "From the count of the notebook to the count of this report",
        ("wiki, rule", "reverts", "by bots", "of these reverted"),
        rows,
        " ".join(f"Rule {_RULE_NAMES[rule]}: {text}" for rule, text in COUNTING_RULES.items()),
    )
