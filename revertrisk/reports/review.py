"""What people say of the edits on a sheet: precision by people, beside what reverts say of the same edits."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from revertrisk.reports.cell import Ends, reverter_figures
from revertrisk.reports.figures import LEAST, Figure
from revertrisk.reports.intervals import share_interval
from revertrisk.reports.review_draw import COLUMNS, JUDGEMENTS, KEY_FORMAT, Draw, key_of
from revertrisk.reports.watched import ANYBODY, Booleans, Floats, Watched

THRESHOLDS: Final = (0.0, 0.5, 0.65, 0.8, 0.9)
"""Those at the ends of the score bands; 0 stands for all edits."""


class ReviewError(Exception):
    """A sheet or its key cannot be read; the message names the file and what was expected."""


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What people and reverts say of the edits above a threshold."""

    threshold: float
    precision_by_people: Figure
    share_reverted: Figure
    """Of all edits above the threshold, judged or not."""


@dataclass(frozen=True, slots=True)
class Review:
    """What came of a sheet."""

    model_name: str
    model_version: str
    wiki_id: str
    horizon_s: float
    drawn: int
    judgements: Mapping[str, int]
    """How many of each; `not judged` too."""
    thresholds: tuple[AtThreshold, ...]
    both: Mapping[str, int]
    """How many judged edits were damaging or good, and reverted within the horizon or not."""


def read_sheet(path: Path) -> tuple[Draw, dict[int, str]]:
    """Read a filled sheet and its key; returns the key, and the judgements by item.

    Raises:
        ReviewError: one of both cannot be read, or they do not belong together.

    """
    drawn = _read_key(key_of(path))
    known = {each.item for each in drawn.items}
    judgements: dict[int, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not set(COLUMNS[:3]) <= set(rows.fieldnames or ()):
                raise ReviewError(f"{path}: expected the columns {', '.join(COLUMNS)}")
            for number, row in enumerate(rows, 2):
                item, judgement = (row["item"] or "").strip(), (row["judgement"] or "").strip().lower()
                if not item.isdigit() or int(item) not in known:
                    raise ReviewError(f"{path}: line {number}: {item!r} is not an item of this sheet")
                if judgement and judgement not in JUDGEMENTS:
                    expected = ", ".join(JUDGEMENTS)
                    raise ReviewError(
                        f"{path}: line {number}: expected {expected}, or nothing, not {judgement!r}"
                    )
                if judgement:
                    judgements[int(item)] = judgement
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise ReviewError(f"{path}: cannot be read: {exc}") from exc
    return drawn, judgements


def _read_key(path: Path) -> Draw:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != KEY_FORMAT:
            raise ReviewError(f"{path}: expected a key of the format {KEY_FORMAT}")
        return Draw.of(content)
    except OSError as exc:
        raise ReviewError(f"{path}: the sheet's key cannot be read: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise ReviewError(f"{path}: expected the key that was written with the sheet") from exc


def review(
    drawn: Draw,
    judgements: Mapping[int, str],
    watched: Watched,
    horizon: float,
    thresholds: Sequence[float] = THRESHOLDS,
) -> Review:
    """Set people's judgements beside the reverts of the same wiki and model version."""
    strata = np.array([each.stratum for each in drawn.items])
    probability = np.array([each.probability for each in drawn.items])
    said = np.array([judgements.get(each.item, "") for each in drawn.items])
    sizes = np.array([each.size for each in drawn.strata], dtype=np.float64)
    decided: Booleans = np.isin(said, JUDGEMENTS[:2])
    damaging: Booleans = said == JUDGEMENTS[0]
    # An edit stands for those of its stratum that were drawn and not decided, too.
    judged = np.bincount(strata[decided], minlength=len(sizes))
    weight = np.divide(sizes, judged, out=np.zeros(len(sizes)), where=judged > 0)[strata]
    ends = Ends.of(watched)
    counts = {name: int((said == name).sum()) for name in JUDGEMENTS}
    return Review(
        drawn.model_name,
        drawn.model_version,
        drawn.wiki_id,
        horizon,
        len(drawn.items),
        counts | {"not judged": len(drawn.items) - sum(counts.values())},
        tuple(
            AtThreshold(
                each,
                _precision(damaging, decided & (probability > each), weight, strata),
                reverter_figures(ends.part(ends.probability > each), horizon, ()).share_reverted,
            )
            for each in thresholds
        ),
        _both(drawn, damaging, decided, watched, horizon),
    )


def _precision(damaging: Booleans, members: Booleans, weight: Floats, strata: NDArray[np.int64]) -> Figure:
    """Return the weighed share of damaging edits; its error is that of a ratio over strata (Cochran 1977, 6.11)."""
    number, found = int(members.sum()), int((damaging & members).sum())
    if number < LEAST:
        note = f"too few (n = {number} judged, {LEAST} are needed)"
        return _figure(None, None, None, number, found, note)
    total = float(weight[members].sum())
    value = float(weight[damaging & members].sum()) / total
    residual = np.where(members, weight * (damaging - value), 0.0) / total
    error = 0.0
    for stratum in np.unique(strata[members]):
        own = residual[(strata == stratum) & (weight > 0)]
        centred = own - own.mean() if len(own) > 1 else own
        error += float((centred**2).sum()) * len(own) / max(len(own) - 1, 1)
    low, high = share_interval(value, float(np.sqrt(error)), number)
    return _figure(value, low, high, number, found, None)


def _figure(  # noqa: PLR0913, PLR0917 - a figure's own fields
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


def _both(
    drawn: Draw, damaging: Booleans, decided: Booleans, watched: Watched, horizon: float
) -> dict[str, int]:
    seconds, cause = watched.ends()
    reverted = np.isin(cause, ANYBODY) & (seconds <= horizon)
    fate = dict(zip(watched.rev_id.tolist(), reverted.tolist(), strict=True))
    found = {
        f"{judgement}, {what}": 0
        for judgement in JUDGEMENTS[:2]
        for what in ("reverted", "not reverted", "not in the lake any more")
    }
    for each, is_damaging, is_decided in zip(drawn.items, damaging, decided, strict=True):
        if is_decided:
            judgement = JUDGEMENTS[0] if is_damaging else JUDGEMENTS[1]
            was = fate.get(each.rev_id)
            what = "not in the lake any more" if was is None else "reverted" if was else "not reverted"
            found[f"{judgement}, {what}"] += 1
    return found
