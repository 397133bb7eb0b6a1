"""The results of a review sheet: as a document for people, and as JSON."""

from dataclasses import asdict
from typing import Any

from revertrisk.reports.document import Document, Section, Table, figure_text, horizon_name
from revertrisk.reports.figures import DEFINITIONS, NOT_REVERTED, RULES
from revertrisk.reports.review import Review


def review_json(report: Review) -> dict[str, Any]:
    """Return the whole report as JSON values."""
    return {"definitions": DEFINITIONS, "rules": RULES, "note": NOT_REVERTED, **asdict(report)}


def review_document(report: Review) -> Document:
    """Return the report for people."""
    horizon = horizon_name(report.horizon_s)
    said = ", ".join(f"{number:,} {name}" for name, number in report.judgements.items())
    rows = tuple(
        (
            "all edits" if each.threshold == 0 else f"above {each.threshold:g}",
            f"{each.precision_by_people.n:,}",
            figure_text(each.precision_by_people),
            f"{each.share_reverted.n:,}",
            figure_text(each.share_reverted),
        )
        for each in report.thresholds
    )
    outcomes = tuple((name, f"{number:,}") for name, number in report.outcomes.items() if number)
    tables = (
        Table(
            "Damaging by people, beside share reverted",
            ("edits", "judged", "judged damaging", "edits in the lake", f"reverted within {horizon}"),
            rows,
            "Judged edits are weighted to represent all edits of their score band and kind of user. "
            "Edits judged unsure count as not judged.",
        ),
        Table("Numbers of judged edits, without weights", ("judgement, outcome", "edits"), outcomes),
    )
    title = f"{report.model_name}, version {report.model_version}"
    return Document(
        f"Edits on {report.wiki_id} as judged by people",
        (f"{report.drawn:,} edits were drawn: {said}.", RULES, NOT_REVERTED),
        (Section(title, (), tables),),
        {
            "judged damaging": DEFINITIONS["precision_by_people"],
            "reverted": DEFINITIONS["share_reverted_flagged"],
        },
        ("models", "watched"),
    )
