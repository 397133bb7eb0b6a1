"""The report of an evaluation: one HTML page with plots that needs no other file."""

import html
from collections.abc import Mapping, Sequence

import numpy as np

from revertrisk.scoring.training.evaluate import GroupFigures
from revertrisk.scoring.training.evaluate_file import FileEvaluation
from revertrisk.scoring.training.figures import Estimate, Labels, Scores

_SIDE = 300
_MARGIN = 46
_BARS = 20
_SUGGESTED = "fpr_0.05"

Point = tuple[float, float]

_PAGE = """\
<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #202122 }}
table {{ border-collapse: collapse; margin: 1rem 0 }} td, th {{ padding: .2rem .7rem; text-align: left;
border-bottom: 1px solid #c8ccd1 }} figure {{ display: inline-block; margin: 0 1rem 1rem 0 }}
svg {{ font-size: 11px }} figcaption {{ font-weight: 600 }}
</style>
<h1>{title}</h1>
<p>{subtitle}</p>
{figures}
<h2>Plots</h2>
{plots}
<h2>By author</h2>
{groups}
<h2>By wiki</h2>
{wikis}
</html>
"""


def html_report(result: FileEvaluation) -> str:
    """Return the page: figures with 95 % intervals, ROC, precision and recall, reliability, scores, groups."""
    evaluation, scores, labels = result.evaluation, result.probabilities, result.labels
    title = f"{result.model_name} {result.model_version} on {result.dataset.file_name}"
    weighted = (
        "" if evaluation.base_rate is None else f" Calibration is weighted to {evaluation.base_rate:.1%}."
    )
    flag = evaluation.baselines["anonymous_flag"]
    figures = {
        "AUC": evaluation.auc,
        "AUC of the anonymous flag": flag.auc,
        "difference": flag.auc_difference,
        "average precision": evaluation.average_precision,
        "Brier score": evaluation.brier,
        "expected calibration error": evaluation.ece,
    }
    at = [
        (f"{name} ({each.threshold:.4f})", *map(_interval, (each.precision, each.recall, each.fpr)))
        for name, each in evaluation.thresholds.items()
    ]
    return _PAGE.format(
        title=html.escape(title),
        subtitle=f"{evaluation.n} edits, {evaluation.positives} of them positive. Intervals in brackets are 95 % "
        f"bootstrap intervals.{weighted}",
        figures=_table(("figure", "value"), [(name, _interval(each)) for name, each in figures.items()])
        + _table(("threshold", "precision", "recall", "false positive rate"), at),
        plots="\n".join(_plots(result, scores, labels)),
        groups=_groups(evaluation.groups),
        wikis=_groups(evaluation.wikis) if evaluation.wikis else "<p>One wiki only.</p>",
    )


def _plots(result: FileEvaluation, scores: Scores, labels: Labels) -> list[str]:
    order = np.argsort(-scores, kind="stable")
    # Edits with equal scores are one step: all of them are above a threshold, or none.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits, misses = np.cumsum(labels[order])[ends], np.cumsum(~labels[order])[ends]
    recall, false_positive_rate = hits / max(1, labels.sum()), misses / max(1, (~labels).sum())
    precision = hits / (hits + misses)
    bins = result.evaluation.calibration
    plots = [
        _plot(
            "ROC",
            "false positive rate",
            "recall",
            _line([(0.0, 0.0), *_points(false_positive_rate, recall)]),
            diagonal=True,
        ),
        _plot("Precision and recall", "recall", "precision", _line(_points(recall, precision))),
        _plot(
            "Reliability",
            "mean probability",
            "observed share",
            _dots([(each.mean_probability, each.observed) for each in bins]),
            diagonal=True,
        ),
        _plot("Scores", "probability (reverted: red)", "share of its class", _histogram(scores, labels)),
    ]
    if result.evaluation.groups and _SUGGESTED in result.evaluation.thresholds:
        rates = [(name, each.fpr[_SUGGESTED]) for name, each in result.evaluation.groups.items()]
        plots.append(_rates([(name, rate) for name, rate in rates if rate.value is not None]))
    return plots


def _points(across: Scores, up: Scores) -> list[Point]:
    return list(zip(across.tolist(), up.tolist(), strict=True))


def _place(point: Point) -> Point:
    return round(_MARGIN + point[0] * _SIDE, 1), round(6 + (1 - point[1]) * _SIDE, 1)


def _line(points: Sequence[Point]) -> str:
    path = " ".join(f"{x},{y}" for x, y in map(_place, points))
    return f'<polyline points="{path}" fill="none" stroke="#36c" stroke-width="2"/>'


def _dots(points: Sequence[Point]) -> str:
    circles = "".join(f'<circle cx="{x}" cy="{y}" r="3.5" fill="#36c"/>' for x, y in map(_place, points))
    return _line(points) + circles


def _histogram(scores: Scores, labels: Labels) -> str:
    bars = []
    for chosen, colour in ((~labels, "#36c"), (labels, "#d33")):
        counts, _ = np.histogram(scores[chosen], bins=_BARS, range=(0, 1))
        for place, share in enumerate(counts / max(1, counts.sum())):
            x, y = _place((place / _BARS, share))
            height = round(float(share) * _SIDE, 1)
            bars.append(
                f'<rect x="{x}" y="{y}" width="{_SIDE / _BARS}" height="{height}" fill="{colour}" opacity="0.5"/>'
            )
    return "".join(bars)


def _plot(title: str, across: str, up: str, content: str, *, diagonal: bool = False) -> str:
    size, (left, bottom), (right, top) = _SIDE + _MARGIN + 10, _place((0, 0)), _place((1, 1))
    guide = (
        f'<path d="M{left},{bottom}L{right},{top}" stroke="#a2a9b1" stroke-dasharray="4"/>'
        if diagonal
        else ""
    )
    ticks = "".join(
        f'<text x="{_place((value, 0))[0]}" y="{bottom + 14}" text-anchor="middle">{value}</text>'
        f'<text x="{left - 5}" y="{_place((0, value))[1] + 4}" text-anchor="end">{value}</text>'
        for value in (0, 0.5, 1)
    )
    return (
        f'<figure><figcaption>{title}</figcaption><svg width="{size}" height="{size + 10}" role="img" '
        f'aria-label="{title}"><rect x="{left}" y="{top}" width="{_SIDE}" height="{_SIDE}" fill="none" '
        f'stroke="#a2a9b1"/>{guide}{content}{ticks}<text x="{left + _SIDE / 2}" y="{bottom + 30}" '
        f'text-anchor="middle">{across}</text><text x="12" y="{top + _SIDE / 2}" text-anchor="middle" '
        f'transform="rotate(-90 12 {top + _SIDE / 2})">{up}</text></svg></figure>'
    )


def _rates(rates: Sequence[tuple[str, Estimate]]) -> str:
    rows = []
    for place, (name, rate) in enumerate(rates):
        assert rate.value is not None  # noqa: S101 - rates that are not defined were left out
        assert rate.low is not None  # noqa: S101 - likewise
        assert rate.high is not None  # noqa: S101 - likewise
        y, left = 18 + place * 24, 130
        rows.append(
            f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{name}</text>'
            f'<path d="M{left + rate.low * _SIDE:.1f},{y}H{left + rate.high * _SIDE:.1f}" stroke="#36c" '
            f'stroke-width="2"/><circle cx="{left + rate.value * _SIDE:.1f}" cy="{y}" r="4" fill="#36c"/>'
            f'<text x="{left + rate.high * _SIDE + 8:.1f}" y="{y + 4}">{rate.value:.3f}</text>'
        )
    title = "False positive rate by author, at the threshold for 5 %"
    return (
        f'<figure><figcaption>{title}</figcaption><svg width="{_SIDE + 200}" height="{30 + 24 * len(rates)}" '
        f'role="img" aria-label="{title}">{"".join(rows)}</svg></figure>'
    )


def _groups(groups: Mapping[str, GroupFigures]) -> str:
    return _table(
        ("group", "edits / positive", "AUC", "average precision"),
        [
            (name, f"{each.n} / {each.positives}", _interval(each.auc), _interval(each.average_precision))
            for name, each in groups.items()
        ],
    )


def _interval(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not defined"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"
