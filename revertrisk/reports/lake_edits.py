"""Reads from a lake which edits each model version scored, and what happened to these edits."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from revertrisk.lake import Reader
from revertrisk.reports.statements import statement
from revertrisk.reports.watched import Watched, or_never, page_numbers

_DAY_S = 86_400
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Period:
    """The days of edits, first and last day included; None stands for the first or the last day of the lake."""

    since: date | None = None
    until: date | None = None

    @property
    def literals(self) -> dict[str, str]:
        """Both days as text for SQL, by the names that the queries use."""
        return {
            "since": (self.since or _EPOCH).isoformat(),
            "until": (self.until or date(9999, 12, 31)).isoformat(),
        }

    def first_edit_day(self, seconds: float) -> str:
        """Return the first day whose edits can be reverted in the period, if reverts come within ``seconds``."""
        since = self.since or _EPOCH
        return (since - timedelta(days=math.ceil(seconds / _DAY_S))).isoformat()

    def days(self, first: int, last: int) -> tuple[int, int] | None:
        """Return the first and the last day of the period from ``first`` to ``last``, as days since 1970.

        None if there are none.
        """
        if self.since is not None:
            first = max(first, (self.since - _EPOCH).days)
        if self.until is not None:
            last = min(last, (self.until - _EPOCH).days)
        return (first, last) if first <= last else None


ANY_DAY: Final = Period()


@dataclass(frozen=True, slots=True)
class WikiRecord:
    """From when to when the lake has page_change events of a wiki, in seconds since 1970; None if it has none."""

    wiki_id: str
    since: float | None
    """The time of the earliest edit in the record."""
    watermark: float | None
    """``meta.dt`` of the last page_change event."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a model, with the wikis on which it scored edits."""

    model_name: str
    model_version: str
    wikis: tuple[WikiRecord, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """The edits that a model version scored."""

    model: ModelVersion
    watched: Watched
    unrecorded: NDArray[np.int64]
    """For each wiki of the model: how many predictions are for edits without a page_change event in the lake."""


def read_models(
    reader: Reader, *, wikis: Collection[str] = (), model_names: Collection[str] = ()
) -> list[ModelVersion]:
    """Return the model versions that have predictions in the lake; raises LakeError.

    ``wikis`` and ``model_names`` restrict the result; empty means all.
    """
    found: dict[tuple[str, str], list[WikiRecord]] = {}
    for name, version, wiki_id, watermark, since in reader.query(statement("models")).fetchall():
        if (not wikis or wiki_id in wikis) and (not model_names or name in model_names):
            found.setdefault((name, version), []).append(WikiRecord(wiki_id, since, watermark))
    return [ModelVersion(*key, tuple(records)) for key, records in found.items()]


def read_scored(reader: Reader, model: ModelVersion, period: Period = ANY_DAY) -> Scored:
    """Return the edits of a period that a model version scored, by wiki, page and revision; raises LakeError."""
    names = tuple(each.wiki_id for each in model.wikis)
    text = statement(
        "watched",
        model_name=model.model_name,
        model_version=model.model_version,
        wikis=names,
        **period.literals,
    )
    rows = reader.query(text).fetchnumpy()
    missing = np.ma.getmaskarray(rows["dt"])
    unrecorded = np.bincount(np.asarray(rows["wiki"])[missing].astype(np.int64), minlength=len(names))
    known = ~missing
    column = {name: values[known] for name, values in rows.items()}
    wiki = np.asarray(column["wiki"], dtype=np.int16)
    moment = np.asarray(column["dt"], dtype=np.float64)
    watermarks = np.array([each.watermark or 0.0 for each in model.wikis], dtype=np.float64)
    watched = Watched(
        wikis=names,
        wiki=wiki,
        page=page_numbers(wiki, column["page_id"]),
        rev_id=np.asarray(column["rev_id"], dtype=np.int64),
        day=(moment // _DAY_S).astype(np.int32),
        probability=np.asarray(column["probability"], dtype=np.float64),
        kind=np.asarray(column["kind"], dtype=np.int8),
        age=np.maximum(watermarks[wiki] - moment, 0.0),
        revert_after=or_never(column["revert_after"]),
        undone_after=or_never(column["undone_after"]),
        deleted_after=or_never(column["deleted_after"]),
        reverter=np.asarray(column["reverter"], dtype=np.int8),
        is_null_edit=np.asarray(column["is_null_edit"], dtype=np.bool_),
        is_skipped_by_automoderator=np.asarray(column["is_skipped_by_automoderator"], dtype=np.bool_),
    )
    return Scored(model, watched, unrecorded)
