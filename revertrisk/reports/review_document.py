"""What came of a sheet, as people read it and as JSON."""

from dataclasses import asdict
from typing import Any

from revertrisk.reports.document import Document, Section, Table, horizon_name, shown
from revertrisk.reports.figures import DEFINITIONS, NOT_GOOD, RULES
from revertrisk.reports.review import Review


def review_json(report: Review) -> dict[str, Any]:
    """Return the whole report as JSON values."""
    return {"definitions": DEFINITIONS, "rules": RULES, "note": NOT_GOOD, **asdict(report)}


def review_document(report: Review) -> Document:
    """Return the report for people."""
    horizon = horizon_name(report.horizon_s)
    said = ", ".join(f"{number:,} {name}" for name, number in report.judgements.items())
    rows = tuple(
        (
            "all edits" if each.threshold == 0 else f"above {each.threshold:g}",
            f"{each.precision_by_people.n:,}",
            shown(each.precision_by_people),
            f"{each.share_reverted.n:,}",
            shown(each.share_reverted),
        )
        for each in report.thresholds
    )
    both = tuple((name, f"{number:,}") for name, number in report.both.items() if number)
    tables = (
        Table(
            "Precision by people, beside that by reverts",
            ("edits", "judged", "damaging, by people", "edits in the lake", f"reverted within {horizon}"),
            rows,
            "Judged edits are weighed to all of their score band and kind of user; unsure ones count as not judged.",
        ),
        Table("The judged edits, as they are", ("judgement and fate", "edits"), both),
    )
    title = f"{report.model_name}, version {report.model_version}"
    return Document(
        f"What people say of edits of {report.wiki_id}",
        (f"{report.drawn:,} edits were drawn: {said}.", RULES, NOT_GOOD),
        (Section(title, (), tables),),
        {
            "damaging, by people": DEFINITIONS["precision_by_people"],
            "reverted": DEFINITIONS["share_reverted_flagged"],
        },
        ("models", "watched"),
    )
