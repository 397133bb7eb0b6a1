"""The plots of the report on outcomes."""

from collections.abc import Iterator, Sequence

from revertrisk.reports.cell import AtThreshold
from revertrisk.reports.document import Plot, Series, horizon_name
from revertrisk.reports.figures import Figure
from revertrisk.reports.outcomes import AtHorizon, Cell


def outcome_plots(cell: Cell, kinds: Sequence[Cell]) -> Iterator[Plot]:
    """Yield the plots of a cell and of its kinds of users. A plot without a figure is left out."""
    at = cell.horizons[0]
    horizon = horizon_name(at.horizon_s)
    bins = [each for each in at.quality.calibration if each.share_reverted.value is not None]
    if bins:
        yield Plot(
            f"Calibration, within {horizon}",
            "mean probability",
            "share reverted",
            (_series("", [each.mean_probability for each in bins], [each.share_reverted for each in bins]),),
            has_diagonal=True,
        )
    thresholds = [each.threshold for each in at.reverters["anyone"].thresholds]
    if len(thresholds) > 1 and any(_flagged(each) for each in cell.horizons):
        yield Plot(
            "Share reverted among edits above a threshold",
            "threshold",
            "share reverted (of flagged)",
            tuple(
                _series(
                    horizon_name(each.horizon_s),
                    [limit.threshold for limit in _flagged(each)],
                    [limit.share_reverted_flagged for limit in _flagged(each)],
                )
                for each in cell.horizons
                if _flagged(each)
            ),
            is_share=(False, True),
        )
    rows = [
        (each.kind, each.horizons[0].reverters["anyone"].share_reverted)
        for each in kinds
        if each.horizons[0].reverters["anyone"].share_reverted.value is not None
    ]
    if rows:
        shares = [figure.value or 0.0 for _, figure in rows]
        yield Plot(
            f"Share reverted by kind of user, within {horizon}",
            "share reverted",
            "",
            (
                Series(
                    "",
                    tuple(shares),
                    tuple(float(place) for place in range(len(rows))),
                    tuple(figure.low for _, figure in rows),
                    tuple(figure.high for _, figure in rows),
                ),
            ),
            rows=tuple(name for name, _ in rows),
        )


def _flagged(at: AtHorizon) -> list[AtThreshold]:
    return [
        each for each in at.reverters["anyone"].thresholds if each.share_reverted_flagged.value is not None
    ]


def _series(name: str, across: Sequence[float], figures: Sequence[Figure]) -> Series:
    return Series(
        name,
        tuple(across),
        tuple(each.value or 0.0 for each in figures),
        tuple(each.low for each in figures),
        tuple(each.high for each in figures),
    )
