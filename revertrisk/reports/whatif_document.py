"""The report on what a threshold would do: as a document for people, and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from revertrisk.reports.document import (
    Document,
    Plot,
    Section,
    Series,
    Table,
    daily_mean_text,
    figure_text,
    figure_texts,
    horizon_name,
    percent,
    seconds_text,
)
from revertrisk.reports.figures import DEFINITIONS, NOT_REVERTED, RULES
from revertrisk.reports.outcomes_document import record_of
from revertrisk.reports.whatif import ENDED_BY, Chosen, Part, ThresholdEffect, ThresholdTarget, WhatIf

_WORDS: Final = {
    "flagged edits per day": "flagged_a_day",
    "share reverted": "share_reverted_flagged",
    "what came first": "ended_by",
    "seconds saved": "seconds_saved",
    "hours saved per day": "hours_saved_a_day",
    "recall": "recall",
    "flagged, not reverted": "flagged_not_reverted",
}


_CHOICE: Final = (
    "The threshold is chosen on the first two thirds of the days. The figures of the later days show what to expect, "
    "because they were not used for the choice."
)


def whatif_json(report: WhatIf) -> dict[str, Any]:
    """Return the whole report as JSON values."""
    return {"definitions": DEFINITIONS, "rules": RULES, "note": NOT_REVERTED, **asdict(report)}


def whatif_document(report: WhatIf) -> Document:
    """Return the report for people."""
    horizon = horizon_name(report.horizon_s)
    rules = (
        f"{report.skipped_by_automoderator:,} more edits are left out, because Automoderator skips them (edits by bots "
        "and privileged editors, self-reverts, creations, null edits)."
        if report.skipped_by_automoderator
        else "All scored edits are included, by all users."
    )
    name = f"{report.model.model_name}, version {report.model.model_version}"
    paragraphs = (
        f"{name}: {report.n:,} edits. {record_of(report.model.wikis)} {rules}",
        RULES,
        NOT_REVERTED,
    )
    sections = []
    if report.chosen:
        sections.append(_chosen(report))
    sections.append(
        Section(
            "Thresholds",
            (f"Shares are of the flagged edits, within {horizon}.",),
            (_thresholds(report), _kinds(report), _ended_by(report), _saved(report)),
            tuple(_plots(report)),
        )
    )
    definitions = {word: DEFINITIONS[name] for word, name in _WORDS.items()}
    return Document(
        f"What a threshold would do on {report.wiki_id}",
        paragraphs,
        tuple(sections),
        definitions,
        ("models", "watched"),
    )


def target_text(target: ThresholdTarget) -> str:
    """Return a target as a phrase."""
    if target.share_reverted is not None:
        return f"at least {percent(target.share_reverted)} of the flagged edits reverted"
    if target.a_day is not None:
        return f"at most {target.a_day:g} flagged edits per day"
    return f"at most {percent(target.false_positive_rate or 0)} of the edits that were not reverted flagged"


def _chosen(report: WhatIf) -> Section:
    rows = [row for each in report.chosen for row in _chosen_rows(each)]
    header = (
        "target",
        "threshold",
        "days",
        "flagged edits per day",
        "share reverted",
        "recall",
        "flagged, not reverted",
    )
    return Section(
        "Threshold for a target",
        (_CHOICE,),
        (Table("Chosen on earlier days, checked on later days", header, tuple(rows)),),
    )


def _chosen_rows(chosen: Chosen) -> Iterator[tuple[str, ...]]:
    target = target_text(chosen.target)
    if chosen.refusal is not None or chosen.earlier is None or chosen.later is None:
        reason = chosen.refusal.reason if chosen.refusal is not None else ""
        yield target, f"none: {reason}", "", "", "", "", ""
        return
    threshold = f"{chosen.threshold:.4f}" + (": flags every edit" if chosen.flags_every_edit else "")
    later = f"{chosen.later.days} later" + (": target not kept" if chosen.is_kept is False else "")
    yield target, threshold, f"{chosen.earlier.days} earlier", *_part(chosen.earlier)
    yield "", "", later, *_part(chosen.later)


def _part(part: Part) -> tuple[str, ...]:
    figures = (part.share_reverted, part.recall, part.flagged_not_reverted)
    return (daily_mean_text(part.flagged_a_day), *figure_texts(*figures))


def _thresholds(report: WhatIf) -> Table:
    rows = tuple(
        (
            f"{each.threshold:g}",
            f"{each.flagged:,}",
            daily_mean_text(each.flagged_a_day),
            f"{each.flagged_a_day.median:g}",
            figure_text(each.share_reverted),
        )
        for each in report.thresholds
    )
    days = report.thresholds[0].flagged_a_day.days if report.thresholds else 0
    return Table(
        "Edits that would be flagged",
        ("threshold", "flagged edits", "per day", "median per day", "share reverted"),
        rows,
        f"Numbers per day are over {days} whole days, from {report.days[0]} to {report.days[1]}.",
    )


def _kinds(report: WhatIf) -> Table:
    names = list(report.thresholds[0].kinds) if report.thresholds else []
    rows = [
        (
            f"{each.threshold:g}, {name}",
            daily_mean_text(each.kinds[name].flagged_a_day),
            figure_text(each.kinds[name].share_reverted),
        )
        for each in _shown_thresholds(report)
        for name in names
    ]
    return Table(
        "By kind of user", ("threshold, kind", "flagged edits per day", "share reverted"), tuple(rows)
    )


def _shown_thresholds(report: WhatIf) -> list[ThresholdEffect]:
    """Return every fifth threshold. The JSON has all of them."""
    return list(report.thresholds[::5])


def _ended_by(report: WhatIf) -> Table:
    rows = [
        (f"{each.threshold:g}", *figure_texts(*(each.ended_by[name] for name in ENDED_BY)))
        for each in report.thresholds
    ]
    names = tuple(name.replace("_", " ") for name in ENDED_BY)
    note = (
        "Accounts that act on the score, such as Automoderator, are listed as bots that act on the model "
        "(`revertrisk lake bots`)."
    )
    return Table("What came first for the flagged edits", ("threshold", *names), tuple(rows), note)


def _saved(report: WhatIf) -> Table:
    rows = [
        (f"{each.threshold:g}", seconds_text(each.seconds_saved), daily_mean_text(each.hours_saved_a_day))
        for each in report.thresholds
    ]
    return Table(
        "Time until a person reverted the flagged edits",
        ("threshold", "seconds saved (median)", "hours saved per day"),
        tuple(rows),
    )


def _plots(report: WhatIf) -> Iterator[Plot]:
    shares = [each for each in report.thresholds if each.share_reverted.value is not None]
    if shares:
        yield Plot(
            "Share reverted among the flagged edits",
            "threshold",
            "share reverted",
            (
                Series(
                    "",
                    tuple(each.threshold for each in shares),
                    tuple(each.share_reverted.value or 0.0 for each in shares),
                    tuple(each.share_reverted.low for each in shares),
                    tuple(each.share_reverted.high for each in shares),
                ),
            ),
            is_share=(False, True),
        )
    if report.thresholds:
        numbers = [each.flagged_a_day for each in report.thresholds]
        yield Plot(
            "Flagged edits per day",
            "threshold",
            "edits per day",
            (
                Series(
                    "",
                    tuple(each.threshold for each in report.thresholds),
                    tuple(each.value for each in numbers),
                    tuple(each.low for each in numbers),
                    tuple(each.high for each in numbers),
                ),
            ),
            is_share=(False, False),
        )
