"""The report on outcomes: as a document for people, and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from revertrisk.reports.document import (
    Document,
    Section,
    Table,
    figure_text,
    figure_texts,
    horizon_name,
    number_text,
    percent,
)
from revertrisk.reports.figures import DEFINITIONS, NOT_REVERTED, RULES
from revertrisk.reports.lake_edits import WikiRecord
from revertrisk.reports.outcomes import ALL, Cell, ModelOutcomes, Outcomes, Pair
from revertrisk.reports.outcomes_plots import outcome_plots

_WHOSE: Final = {
    "anyone": "anyone else",
    "not_acting_on_the_score": "without accounts that act on the score",
    "people": "people only, no bots",
}
_WORDS: Final = {
    "share reverted": "share_reverted",
    "share reverted (of flagged)": "share_reverted_flagged",
    "recall": "recall",
    "flagged, not reverted": "flagged_not_reverted",
    "AUC": "auc",
    "calibration": "calibration",
    "mean probability minus share reverted": "calibration_gap",
    "self-reverted": "share_self_reverted",
    "page deleted": "share_deleted",
    "revert reverted": "share_revert_reverted",
    "ratio": "ratio",
    "AUC difference": "auc_difference",
}
"""The names of figures in tables, each with the name of its measure in `DEFINITIONS`."""


def outcomes_json(report: Outcomes) -> dict[str, Any]:
    """Return the whole report as JSON values. ``definitions`` says what each measure is, by its name."""
    return {"definitions": DEFINITIONS, "rules": RULES, "note": NOT_REVERTED, **asdict(report)}


def outcomes_document(report: Outcomes) -> Document:
    """Return the report for people. Cells by wiki and by kind of user are shown for the first horizon only."""
    sections = tuple(_model(each, report) for each in report.models)
    if report.pairs:
        sections += (_pairs(report.pairs),)
    paragraphs = (_basis(report), RULES, NOT_REVERTED)
    definitions = {word: DEFINITIONS[name] for word, name in _WORDS.items()}
    return Document("Outcomes of predictions", paragraphs, sections, definitions, ("models", "watched"))


def _basis(report: Outcomes) -> str:
    if report.options.is_matured:
        return (
            "Only edits that are older than the horizon are included, labelled as for training: null edits, "
            "self-reverts, and edits whose revert was itself reverted are left out."
        )
    return (
        "Edits of any age are included, up to the end of the record of page_change events. An edit that is younger "
        "than the horizon counts for the time since it was saved."
    )


def _model(model: ModelOutcomes, report: Outcomes) -> Section:
    title = f"{model.model.model_name}, version {model.model.model_version}"
    whole = model.cells[0] if model.cells else None  # all kinds of users, of all wikis or of the only one
    if whole is None:
        return Section(title, tuple(_record(model)))
    tables = [_thresholds(whole), _by_reverter(whole), _left_out(whole), _calibration(whole)]
    wikis = [each for each in model.cells if each.kind == ALL]
    kinds = [each for each in model.cells if each.wiki_id == whole.wiki_id]
    threshold = report.options.thresholds[-1]
    if len(wikis) > 1:
        tables.append(_cells("By wiki", wikis, threshold, [each.wiki_id for each in wikis]))
    tables.append(
        _cells(f"By kind of user, {_wiki_name(whole)}", kinds, threshold, [each.kind for each in kinds])
    )
    tables.append(_differences(model))
    paragraphs = [*_record(model), *_pages(whole)]
    if not any(each.is_flagged for each in model.differences):
        paragraphs.append(
            f"No kind of user differs from registered accounts: {len(model.differences)} comparisons were made."
        )
    return Section(title, tuple(paragraphs), tuple(tables), tuple(outcome_plots(whole, kinds)))


def _record(model: ModelOutcomes) -> Iterator[str]:
    yield f"The record has {model.n:,} edits that this model scored. {record_of(model.model.wikis)}"
    if model.unrecorded:
        yield f"{model.unrecorded:,} predictions are for edits that are not in the record. No figure includes them."


def _pages(cell: Cell) -> Iterator[str]:
    share = cell.horizons[0].reverters["anyone"].share_reverted
    if share.effective_pages is not None:
        effective = number_text(share.effective_pages, 0)
        yield f"The edits are on {share.pages:,} pages. These are {effective} effective pages."


def record_of(wikis: Sequence[WikiRecord]) -> str:
    """Return a sentence that says from when to when the lake has page_change events."""
    since = [each.since for each in wikis if each.since is not None]
    until = [each.watermark for each in wikis if each.watermark is not None]
    if not since or not until:
        return "The lake has no page_change events of these wikis."
    return f"The record of page_change events is from {_day(min(since))} to {_moment(max(until))}."


def _thresholds(cell: Cell) -> Table:
    rows = [
        (
            f"{horizon_name(at.horizon_s)}, above {each.threshold:g}",
            f"{each.flagged:,} of {at.n:,}",
            *figure_texts(each.share_reverted_flagged, each.recall, each.flagged_not_reverted),
        )
        for at in cell.horizons
        for each in at.reverters["anyone"].thresholds
    ]
    header = (
        "horizon, threshold",
        "flagged",
        "share reverted (of flagged)",
        "recall",
        "flagged, not reverted",
    )
    return Table(f"By threshold, {_wiki_name(cell)}", header, tuple(rows))


def _by_reverter(cell: Cell) -> Table:
    rows = []
    for at in cell.horizons:
        for name, figures in at.reverters.items():
            flagged = [each.share_reverted_flagged for each in figures.thresholds]
            rows.append(
                (
                    f"{horizon_name(at.horizon_s)}, {_WHOSE[name]}",
                    f"{figures.share_reverted.reverted:,}",
                    *figure_texts(figures.share_reverted, *flagged),
                )
            )
    above = [f"of edits above {each.threshold:g}" for each in cell.horizons[0].reverters["anyone"].thresholds]
    return Table(
        "Share reverted, by who made the revert",
        ("horizon, reverted by", "edits reverted", "of all edits", *above),
        tuple(rows),
        "Reverts by other accounts are competing events, as deletions are. Accounts that act on the score, such as "
        "Automoderator, are listed as bots that act on the model (`revertrisk lake bots`).",
    )


def _left_out(cell: Cell) -> Table:
    rows = []
    for at in cell.horizons:
        out = at.left_out
        row = [
            horizon_name(at.horizon_s),
            *figure_texts(out.share_self_reverted, out.share_deleted, out.share_revert_reverted),
            f"{out.open:,} of {at.n:,}",
        ]
        if out.without_label is not None:
            row.append(", ".join(f"{name} {number:,}" for name, number in out.without_label.items()))
        rows.append(tuple(row))
    header = ["horizon", "self-reverted", "page deleted", "revert reverted", "younger, no event yet"]
    if cell.horizons[0].left_out.without_label is not None:
        header.append("without a label")
    return Table("Edits that do not count as reverted, or not yet", tuple(header), tuple(rows))


def _calibration(cell: Cell) -> Table:
    at = cell.horizons[0]
    rows = tuple(
        (f"{each.share_reverted.n:,}", percent(each.mean_probability), figure_text(each.share_reverted))
        for each in at.quality.calibration
    )
    return Table(
        f"Calibration within {horizon_name(at.horizon_s)}: edits by probability, lowest first",
        ("edits", "mean probability", "share reverted"),
        rows,
        f"Mean probability minus share reverted: {figure_text(at.quality.calibration_gap)}.",
    )


def _cells(title: str, cells: Sequence[Cell], threshold: float, names: Sequence[str]) -> Table:
    horizon = horizon_name(cells[0].horizons[0].horizon_s)
    rows = []
    for name, cell in zip(names, cells, strict=True):
        at = cell.horizons[0]
        share, flags = at.reverters["anyone"].share_reverted, at.reverters["anyone"].thresholds[-1]
        texts = figure_texts(share, flags.share_reverted_flagged, flags.flagged_not_reverted)
        rows.append(
            (
                name,
                f"{at.n:,}",
                f"{share.pages:,}",
                f"{share.reverted:,}",
                texts[0],
                f"{flags.flagged:,}",
                *texts[1:],
                "-" if at.quality.auc.note in texts else figure_text(at.quality.auc, is_share=False),
            )
        )
    header = (
        "",
        "edits",
        "pages",
        "reverted",
        "share reverted",
        "flagged",
        "share reverted (of flagged)",
        "flagged, not reverted",
        "AUC",
    )
    return Table(f"{title}, within {horizon}, above {threshold:g}", header, tuple(rows))


def _differences(model: ModelOutcomes) -> Table:
    found = [each for each in model.differences if each.is_flagged]
    rows = tuple(
        (
            f"{each.wiki_id}, {each.kind}",
            "share reverted"
            if each.threshold is None
            else f"flagged, not reverted, above {each.threshold:g}",
            f"{each.n:,}",
            f"{percent(each.share)} and {percent(each.reference_share)}",
            f"{number_text(each.ratio, 2)} ({number_text(each.low, 2)} to {number_text(each.high, 2)})",
        )
        for each in found
    )
    note = (
        f"{len(model.differences)} comparisons were made. Shown are those with a ratio of at least 1.25 or at most "
        "0.8, an interval that excludes 1, and significance at a false discovery rate of 1 % (Benjamini-Hochberg)."
    )
    header = ("wiki, kind", "figure", "edits", "shares", "ratio")
    return Table("Kinds of users that differ from registered accounts", header, rows, note)


def _pairs(pairs: Sequence[Pair]) -> Section:
    rows = tuple(
        (
            f"{each.wiki_id}, {horizon_name(each.horizon_s)}",
            f"{_version(each.first)} and {_version(each.second)}",
            f"{each.n:,}",
            figure_text(each.first_auc, is_share=False),
            figure_text(each.second_auc, is_share=False),
            figure_text(each.auc_difference, is_share=False),
        )
        for each in pairs
    )
    header = ("wiki, horizon", "models", "edits", "AUC of the first", "of the second", "AUC difference")
    return Section(
        "Models compared",
        ("Only edits that both models scored are included.",),
        (Table("AUC on the same edits", header, rows),),
    )


def _wiki_name(cell: Cell) -> str:
    return "all wikis" if cell.wiki_id == ALL else cell.wiki_id


def _version(model: tuple[str, str]) -> str:
    return f"{model[0]} {model[1]}"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
