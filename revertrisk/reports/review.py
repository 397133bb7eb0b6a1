"""Evaluates a filled review sheet: the share that people judged damaging, beside the share reverted."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from revertrisk.reports.cell import Ends, reverter_figures
from revertrisk.reports.figures import MIN_EDITS, Figure
from revertrisk.reports.intervals import Clustered, share_interval
from revertrisk.reports.review_draw import COLUMNS, JUDGEMENTS, KEY_FORMAT, SheetKey, key_of
from revertrisk.reports.watched import ANYONE, Booleans, Floats, Watched

THRESHOLDS: Final = (0.0, 0.5, 0.65, 0.8, 0.9)
"""The limits of the score bands; 0 stands for all edits."""

_SEPARATORS: Final = (",", ";", "\t")


class ReviewError(Exception):
    """A sheet or its key cannot be read. The message names the file and what was expected."""


@dataclass(frozen=True, slots=True)
class JudgedAtThreshold:
    """The judgements and the outcomes of the edits above a threshold."""

    threshold: float
    precision_by_people: Figure
    share_reverted: Figure
    """Over all edits above the threshold, judged or not."""


@dataclass(frozen=True, slots=True)
class Review:
    """The results of a sheet."""

    model_name: str
    model_version: str
    wiki_id: str
    horizon_s: float
    drawn: int
    """How many edits are on the sheet."""
    judgements: Mapping[str, int]
    """How many edits have each judgement, or are not judged."""
    thresholds: tuple[JudgedAtThreshold, ...]
    outcomes: Mapping[str, int]
    """How many edits were judged damaging or good, each by whether they were reverted within the horizon."""


def read_sheet(path: Path) -> tuple[SheetKey, dict[int, str]]:
    """Read a filled sheet and its key; return the key, and the judgements by item.

    Raises:
        ReviewError: the sheet or its key cannot be read, or they do not belong together.

    """
    key = _read_key(key_of(path))
    known = {each.item for each in key.items}
    judgements: dict[int, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = _separator(path, file.readline())
            file.seek(0)
            for number, row in enumerate(csv.DictReader(file, delimiter=separator), 2):
                if not any(row.values()):
                    continue  # spreadsheets write an empty line as separators only
                item, judgement = (row["item"] or "").strip(), (row["judgement"] or "").strip().lower()
                if not item.isdigit() or int(item) not in known:
                    raise ReviewError(f"{path}: line {number}: {item!r} is not an item of this sheet")
                if judgement and judgement not in JUDGEMENTS:
                    expected = ", ".join(JUDGEMENTS)
                    raise ReviewError(
                        f"{path}: line {number}: expected {expected} or an empty cell, not {judgement!r}"
                    )
                if judgement:
                    judgements[int(item)] = judgement
    except UnicodeDecodeError as exc:
        raise ReviewError(f"{path}: expected text in UTF-8; in Excel, save it as CSV UTF-8") from exc
    except (OSError, csv.Error) as exc:
        raise ReviewError(f"{path}: cannot be read: {exc}") from exc
    return key, judgements


def _separator(path: Path, header: str) -> str:
    """Return the separator of the columns: a comma, or what a spreadsheet has written instead."""
    for separator in _SEPARATORS:
        if set(COLUMNS[:3]) <= set(next(csv.reader([header], delimiter=separator), ())):
            return separator
    columns = ", ".join(COLUMNS)
    raise ReviewError(f"{path}: expected the columns {columns}, separated by commas, semicolons or tabs")


def _read_key(path: Path) -> SheetKey:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != KEY_FORMAT:
            raise ReviewError(f"{path}: expected a key of the format {KEY_FORMAT}")
        return SheetKey.from_json(content)
    except OSError as exc:
        raise ReviewError(f"{path}: the key of the sheet cannot be read: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise ReviewError(f"{path}: expected the key that was written with the sheet") from exc


def review(
    key: SheetKey,
    judgements: Mapping[int, str],
    watched: Watched,
    horizon: float,
    thresholds: Sequence[float] = THRESHOLDS,
) -> Review:
    """Compare judgements with the reverts on the same wiki, of the edits that the same model version scored.

    ``judgements`` has the judgement of each item that has one. ``horizon`` is in seconds.
    """
    strata = np.array([each.stratum for each in key.items])
    probability = np.array([each.probability for each in key.items])
    judged_as = np.array([judgements.get(each.item, "") for each in key.items])
    sizes = np.array([each.size for each in key.strata], dtype=np.float64)
    decided: Booleans = np.isin(judged_as, JUDGEMENTS[:2])
    damaging: Booleans = judged_as == JUDGEMENTS[0]
    # The weight of an edit is the size of its stratum divided by the number of judged edits in it.
    judged = np.bincount(strata[decided], minlength=len(sizes))
    weight = np.divide(sizes, judged, out=np.zeros(len(sizes)), where=judged > 0)[strata]
    ends = Ends.of(watched)
    counts = {name: int((judged_as == name).sum()) for name in JUDGEMENTS}
    return Review(
        key.model_name,
        key.model_version,
        key.wiki_id,
        horizon,
        len(key.items),
        counts | {"not judged": len(key.items) - sum(counts.values())},
        tuple(
            JudgedAtThreshold(
                each,
                _precision(damaging, decided & (probability > each), weight, strata),
                reverter_figures(ends.part(ends.probability > each), horizon, ()).share_reverted,
            )
            for each in thresholds
        ),
        _outcomes(key, damaging, decided, watched, horizon),
    )


def _precision(damaging: Booleans, members: Booleans, weight: Floats, strata: NDArray[np.int64]) -> Figure:
    """Return the weighted share of damaging edits among ``members``.

    Its standard error is that of a combined ratio in a stratified sample (Cochran 1977, section 6.11): members are a
    random part of each stratum, so their weights vary too.
    """
    number, found = int(members.sum()), int((damaging & members).sum())
    if number < MIN_EDITS:
        note = f"too few (n = {number} judged, {MIN_EDITS} are needed)"
        return _figure(None, None, None, number, found, note)
    total = float(weight[members].sum())
    value = float(weight[damaging & members].sum()) / total
    residual = np.where(members, weight * (damaging - value), 0.0) / total
    error = 0.0
    for stratum in np.unique(strata[members]):
        own = residual[(strata == stratum) & (weight > 0)]
        centred = own - own.mean() if len(own) > 1 else own
        error += float((centred**2).sum()) * len(own) / max(len(own) - 1, 1)
    low, high = share_interval(value, Clustered(float(np.sqrt(error)), number, number))
    return _figure(value, low, high, number, found, None)


def _figure(  # noqa: PLR0913, PLR0917 - the fields of a figure
    value: float | None, low: float | None, high: float | None, number: int, found: int, note: str | None
) -> Figure:
    return Figure(
        measure="precision_by_people",
        value=value,
        low=low,
        high=high,
        n=number,
        reverted=found,
        pages=number,
        note=note,
    )


def _outcomes(
    key: SheetKey, damaging: Booleans, decided: Booleans, watched: Watched, horizon: float
) -> dict[str, int]:
    seconds, cause = watched.ends()
    reverted = np.isin(cause, ANYONE) & (seconds <= horizon)
    is_reverted = dict(zip(watched.rev_id.tolist(), reverted.tolist(), strict=True))
    found = {
        f"{judgement}, {what}": 0
        for judgement in JUDGEMENTS[:2]
        for what in ("reverted", "not reverted", "no longer in the lake")
    }
    for each, is_damaging, is_decided in zip(key.items, damaging, decided, strict=True):
        if is_decided:
            judgement = JUDGEMENTS[0] if is_damaging else JUDGEMENTS[1]
            was = is_reverted.get(each.rev_id)
            what = "no longer in the lake" if was is None else "reverted" if was else "not reverted"
            found[f"{judgement}, {what}"] += 1
    return found
