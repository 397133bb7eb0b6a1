"""Estimates for the charts: intervals of shares, and the share reverted so far.

The estimators are those of the reports. They need the extra ``reports``; without it the page shows only results of SQL.
"""

# ruff: noqa: PLC0415 - the extra may be missing, and takes a second to import

import importlib.util
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from revertrisk.dashboard.queries import Choice
from revertrisk.dashboard.thresholds import Thresholds
from revertrisk.lake import Reader
from revertrisk.wiki.user_kinds import UserKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from revertrisk.reports.lake_edits import ModelVersion
    from revertrisk.reports.watched import Booleans, Watched

OUTCOMES: Final = "outcomes"
OUTCOME_COLUMNS: Final = [
    "model_version", "horizon_hours", "edits", "share_reverted", "low", "high", "matures_in_hours", "note",
]  # fmt: skip
MAX_EDITS: Final = 1_000_000
"""The most edits that are read for one estimate: all of them are in memory at once."""
_COUNT: Final = "SELECT count(*) FROM ({}) AS watched"

Rows = list[list[Any]]


class TooManyEditsError(Exception):
    """The filters select more than `MAX_EDITS` edits."""


def has_statistics() -> bool:
    """Return whether the extra is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("scipy", "statsmodels"))


def with_intervals(columns: list[str], rows: Rows) -> tuple[list[str], Rows]:
    """Return the rows with columns ``low`` and ``high`` after ``share``: its 95 % interval.

    The interval is computed from ``standard_error``, ``edits`` and ``effective_pages``; it is None if there are too few
    effective pages.
    """
    from revertrisk.reports.intervals import Clustered, share_interval

    names = ("share", "standard_error", "edits", "effective_pages")
    share, error, edits, pages = (columns.index(name) for name in names)
    found = []
    for row in rows:
        low_high: Sequence[float | None] = (None, None)
        spread = Clustered(row[error], row[pages], row[edits])
        if spread.is_enough:
            low_high = share_interval(row[share], spread)
        found.append([*row[: share + 1], *low_high, *row[share + 1 :]])
    return [*columns[: share + 1], "low", "high", *columns[share + 1 :]], found


def outcomes_so_far(
    reader: Reader, choice: Choice, thresholds: Thresholds, newest: datetime
) -> tuple[list[str], Rows, str]:
    """Return columns, rows and SQL: the share reverted of edits above the threshold, at each horizon.

    Raises:
        LakeError: the lake cannot be read.
        TooManyEditsError: the filters select more than `MAX_EDITS` edits.

    """
    from revertrisk.reports.cell import Ends, reverter_figures
    from revertrisk.reports.lake_edits import Period, read_models, read_scored
    from revertrisk.reports.outcomes import HORIZONS
    from revertrisk.reports.statements import statement

    period = Period((newest - timedelta(hours=choice.hours)).date(), newest.date())
    wikis = [] if choice.wiki is None else [choice.wiki]
    rows: Rows = []
    asked = []
    for model in read_models(reader, wikis=wikis, model_names=[choice.model]):
        names = tuple(each.wiki_id for each in model.wikis)
        text = statement(
            "watched",
            model_name=model.model_name,
            model_version=model.model_version,
            wikis=names,
            **period.literals,
        )
        if reader.query(_COUNT.format(text)).fetchall()[0][0] > MAX_EDITS:
            raise TooManyEditsError(f"more than {MAX_EDITS:,} edits; choose a wiki or less time")
        asked.append(text)
        watched = read_scored(reader, model, period).watched
        flagged = watched.part(_chosen(watched, model, choice, thresholds))
        youngest = float(flagged.age.min()) if len(flagged) else 0.0
        for horizon in HORIZONS:
            figure = reverter_figures(Ends.of(flagged), horizon, ()).share_reverted
            matures = max(0.0, horizon - youngest) / 3600 if len(flagged) else None
            rows.append(
                [
                    model.model_version,
                    horizon / 3600,
                    len(flagged),
                    figure.value,
                    figure.low,
                    figure.high,
                    matures,
                    figure.note,
                ]
            )
    return OUTCOME_COLUMNS, rows, ";\n".join(asked)


def _chosen(watched: "Watched", model: "ModelVersion", choice: Choice, thresholds: Thresholds) -> "Booleans":
    """Return which edits are by the chosen users and above the threshold of their wiki."""
    import numpy as np

    from revertrisk.reports.watched import REGISTERED, USER_KINDS

    limits = np.array([thresholds.of(model.model_name, model.model_version, each) for each in watched.wikis])
    above: Booleans = watched.probability > limits[watched.wiki]
    if choice.user is None:
        return above
    if choice.user is UserKind.REGISTERED:
        kinds = [*REGISTERED, USER_KINDS.index("bot")]
    else:
        kinds = [USER_KINDS.index(choice.user.value)]
    chosen: Booleans = above & np.isin(watched.kind, kinds)
    return chosen
