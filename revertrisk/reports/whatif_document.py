"""The report on what a threshold would do as people read it, and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

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
from revertrisk.reports.outcomes_document import record_of
from revertrisk.reports.whatif import FIRST, AtLimit, Chosen, Part, WhatIf, Wish

_WORDS: Final = {
    "flagged a day": "flagged_a_day",
    "share reverted": "share_reverted_flagged",
    "first": "first",
    "seconds saved": "seconds_saved",
    "hours saved a day": "hours_saved_a_day",
    "recall": "recall",
    "flagged, not reverted": "flagged_not_reverted",
}


_CHOICE: Final = (
    "Chosen on the first two thirds of the days. What is to be expected are the figures of the later days, which the "
    "choice did not see."
)


def whatif_json(report: WhatIf) -> dict[str, Any]:
    """Return the whole report as JSON values."""
    return {"definitions": DEFINITIONS, "rules": RULES, "note": NOT_GOOD, **asdict(report)}


def whatif_document(report: WhatIf) -> Document:
    """Return the report for people."""
    horizon = horizon_name(report.horizon_s)
    rules = (
        f"Automoderator's rules pass over {report.passed_over:,} further edits (by bots and privileged editors, "
        "self-reverts, creations, null edits)."
        if report.passed_over
        else "All scored edits count, by any user."
    )
    name = f"{report.model.model_name}, version {report.model.model_version}"
    paragraphs = (
        f"{name}: {report.n:,} edits. {record_of(report.model.wikis)} {rules}",
        RULES,
        NOT_GOOD,
    )
    sections = []
    if report.chosen:
        sections.append(_chosen(report))
    sections.append(
        Section(
            "Thresholds",
            (f"A share is of the flagged edits, within {horizon}.",),
            (_thresholds(report), _kinds(report), _first(report), _saved(report)),
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


def in_words(wish: Wish) -> str:
    """Return a wish as a phrase."""
    if wish.share_reverted is not None:
        return f"at least {percent(wish.share_reverted)} of the flagged edits reverted"
    if wish.a_day is not None:
        return f"at most {wish.a_day:g} flagged edits a day"
    return f"at most {percent(wish.false_positive_rate or 0)} of the edits not reverted flagged"


def _chosen(report: WhatIf) -> Section:
    rows = [row for each in report.chosen for row in _chosen_rows(each)]
    header = (
        "wish",
        "threshold",
        "days",
        "flagged a day",
        "share reverted",
        "recall",
        "flagged, not reverted",
    )
    return Section(
        "The threshold for a wish",
        (_CHOICE,),
        (Table("Chosen and held against later days", header, tuple(rows)),),
    )


def _chosen_rows(chosen: Chosen) -> Iterator[tuple[str, ...]]:
    wish = in_words(chosen.wish)
    if chosen.refusal is not None or chosen.earlier is None or chosen.later is None:
        reason = chosen.refusal.reason if chosen.refusal is not None else ""
        yield wish, f"none: {reason}", "", "", "", "", ""
        return
    yield wish, f"{chosen.threshold:.4f}", f"{chosen.earlier.days} earlier", *_part(chosen.earlier)
    yield "", "", f"{chosen.later.days} later", *_part(chosen.later)


def _part(part: Part) -> tuple[str, ...]:
    figures = (part.share_reverted, part.recall, part.flagged_not_reverted)
    return (number_a_day(part.flagged_a_day), *(shown(each) for each in figures))


def _thresholds(report: WhatIf) -> Table:
    rows = tuple(
        (
            f"{each.threshold:g}",
            f"{each.flagged:,}",
            number_a_day(each.flagged_a_day),
            f"{each.flagged_a_day.median:g}",
            shown(each.share_reverted),
        )
        for each in report.thresholds
    )
    days = report.thresholds[0].flagged_a_day.days if report.thresholds else 0
    return Table(
        "What would be flagged",
        ("above", "flagged", "flagged a day", "median a day", "share reverted"),
        rows,
        f"Numbers a day are over {days} whole days.",
    )


def _kinds(report: WhatIf) -> Table:
    names = list(report.thresholds[0].kinds) if report.thresholds else []
    rows = [
        (
            f"{each.threshold:g}, {name}",
            number_a_day(each.kinds[name].flagged_a_day),
            shown(each.kinds[name].share_reverted),
        )
        for each in _shown_thresholds(report)
        for name in names
    ]
    return Table("By kind of user", ("above, kind", "flagged a day", "share reverted"), tuple(rows))


def _shown_thresholds(report: WhatIf) -> list[AtLimit]:
    """Return every fifth threshold: those between are in the JSON."""
    return list(report.thresholds[::5])


def _first(report: WhatIf) -> Table:
    rows = [
        (f"{each.threshold:g}", *(shown(each.first[name]) for name in FIRST)) for each in report.thresholds
    ]
    names = tuple(name.replace("_", " ") for name in FIRST)
    return Table("What came first to the flagged edits", ("above", *names), tuple(rows))


def _saved(report: WhatIf) -> Table:
    rows = [
        (f"{each.threshold:g}", shown_seconds(each.seconds_saved), number_a_day(each.hours_saved_a_day))
        for each in report.thresholds
    ]
    return Table(
        "Time that flagged edits stood before a person reverted them",
        ("above", "seconds saved (median)", "hours saved a day"),
        tuple(rows),
    )


def _plots(report: WhatIf) -> Iterator[Plot]:
    shares = [each for each in report.thresholds if each.share_reverted.value is not None]
    if shares:
        yield Plot(
            "Share reverted of the flagged edits",
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
            "Flagged a day",
            "threshold",
            "edits a day",
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
