"""Estimates for the charts: intervals of shares, and the share reverted so far.

The estimators are those of the reports. They need the extra ``reports``; without it the page shows only results of SQL.
"""

# ruff: noqa: PLC0415 - the extra may be missing, and takes a second to import

import importlib.util
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from revertrisk.dashboard.queries import Choice, FlaggedEdits, flagged_sql
from revertrisk.dashboard.thresholds import Thresholds
from revertrisk.lake import Reader
from revertrisk.wiki.user_kinds import UserKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from revertrisk.reports.watched import Watched

OUTCOME_COLUMNS: Final = [
    "model_version", "horizon_hours", "edits", "share_reverted", "low", "high", "younger", "note",
]  # fmt: skip
MAX_EDITS: Final = 1_000_000
"""The most edits that are read for one estimate: all of them are in memory at once."""
REVERTERS: Final = ("another user", "a bot", "an account that acts on the score", "the author")
"""Words for the codes 1 to 4 of `reports.watched.Cause`."""
_COUNT: Final = "SELECT count(*) FROM ({}) AS watched"

Rows = list[list[Any]]


class TooManyEditsError(Exception):
    """The filters select more than `MAX_EDITS` edits."""


def has_statistics() -> bool:
    """Return whether the extra is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("scipy", "statsmodels"))


def min_pages() -> int:
    """Return the least number of effective pages for an interval of a share; 0 without the extra."""
    if not has_statistics():
        return 0
    from revertrisk.reports.intervals import MIN_PAGES

    return MIN_PAGES


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
    from revertrisk.reports.lake_edits import Period, read_models
    from revertrisk.reports.outcomes import HORIZONS
    from revertrisk.reports.statements import statement
    from revertrisk.reports.watched import USER_KINDS

    since = newest + timedelta(milliseconds=1) - timedelta(hours=choice.hours)
    period = Period(since.date(), newest.date())
    wikis = [] if choice.wiki is None else [choice.wiki]
    rows: Rows = []
    asked = []
    for model in read_models(reader, wikis=wikis, model_names=[choice.model]):
        name, version = model.model_name, model.model_version
        ids = tuple(each.wiki_id for each in model.wikis)
        edits = FlaggedEdits(
            model_version=version,
            watched=statement(
                "watched", model_name=name, model_version=version, wikis=ids, **period.literals
            ),
            wikis=[
                (each.wiki_id, thresholds.of(name, version, each.wiki_id), each.watermark or 0.0)
                for each in model.wikis
            ],
            kinds=USER_KINDS,
            reverters=REVERTERS,
            of_user=_kinds(choice.user),
        )
        text = flagged_sql(edits, choice, newest)
        if reader.query(_COUNT.format(text)).fetchall()[0][0] > MAX_EDITS:
            raise TooManyEditsError(f"more than {MAX_EDITS:,} edits; choose a wiki or less time")
        asked.append(text)
        ends = Ends.of(_flagged(reader, text, ids))
        for horizon in HORIZONS:
            figure = reverter_figures(ends, horizon, ()).share_reverted
            younger = int((ends.age < horizon).sum()) if len(ends) else None
            rows.append(
                [
                    version,
                    horizon / 3600,
                    len(ends),
                    figure.value,
                    figure.low,
                    figure.high,
                    younger,
                    figure.note,
                ]
            )
    return OUTCOME_COLUMNS, rows, "UNION ALL\n".join(asked)


def _flagged(reader: Reader, text: str, wikis: tuple[str, ...]) -> "Watched":
    """Return the edits that the query of `flagged_sql` selects, by wiki, page and revision. Raises LakeError."""
    import numpy as np

    from revertrisk.reports.watched import USER_KINDS, Watched, or_never, page_numbers

    rows = reader.query(text).fetchnumpy()
    places, kinds, reverters = (
        {name: code for code, name in enumerate(names, start)}
        for names, start in ((wikis, 0), (USER_KINDS, 0), (REVERTERS, 1))
    )
    wiki = np.array([places[each] for each in rows["wiki_id"].tolist()], dtype=np.int16)
    order = np.lexsort((rows["rev_id"], rows["page_id"], wiki))
    column = {name: values[order] for name, values in rows.items()}
    wiki = wiki[order]
    never = np.full(len(wiki), np.inf)
    no = np.zeros(len(wiki), dtype=np.bool_)

    return Watched(
        wikis=wikis,
        wiki=wiki,
        page=page_numbers(wiki, column["page_id"]),
        rev_id=np.asarray(column["rev_id"], dtype=np.int64),
        day=column["dt"].astype("datetime64[D]").astype(np.int32),
        probability=np.asarray(column["probability"], dtype=np.float64),
        kind=np.array([kinds[each] for each in column["user_kind"].tolist()], dtype=np.int8),
        age=np.asarray(column["age_s"], dtype=np.float64),
        revert_after=or_never(column["reverted_after_s"]),
        undone_after=never,
        deleted_after=or_never(column["deleted_after_s"]),
        reverter=np.array([reverters.get(each, 0) for each in column["reverted_by"].tolist()], dtype=np.int8),
        is_null_edit=no,
        is_skipped_by_automoderator=no,
    )


def _kinds(user: UserKind | None) -> "Sequence[int] | None":
    """Return the codes of a kind of user in `USER_KINDS`; None for all."""
    from revertrisk.reports.watched import REGISTERED, USER_KINDS

    if user is None:
        return None
    if user is UserKind.REGISTERED:
        return [*REGISTERED, USER_KINDS.index("bot")]
    return [USER_KINDS.index(user.value)]
