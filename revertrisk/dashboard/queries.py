"""The SQL of the charts: one file for each, in ``sql/``. The filters that a reader set are inserted as literals.

The page shows exactly the SQL that was executed, and the same text runs with ``revertrisk sql``. A client sends values
of filters, which are checked here; it cannot send SQL.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Final

from revertrisk.dashboard.thresholds import ALL, Thresholds
from revertrisk.lake.engine import quoted
from revertrisk.runtime.instants import iso_z
from revertrisk.wiki.user_kinds import UserKind

CHARTS: Final = ("edits", "bots_and_humans", "at_risk", "busiest_pages", "freshness")
CHOICES: Final = "choices"
BIN_MINUTES: Final[Mapping[int, int]] = {1: 1, 6: 5, 24: 15, 168: 120, 720: 720}
"""Minutes in one bin, by the number of hours that a chart covers."""
DEFAULT_HOURS: Final = 24
_WIKI: Final = re.compile(r"[a-z0-9_-]{1,64}")
_MODEL: Final = re.compile(r"[!-~]{1,512}")
_PLACEHOLDER: Final = re.compile(r"(?<!:):([a-z_]+)\b")
_NO_THRESHOLDS: Final = "(VALUES (NULL, NULL, 0.0))"


class ChoiceError(ValueError):
    """A filter has an invalid value; the message names the filter and what was expected."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The filters of a chart; None means all."""

    model: str
    hours: int = DEFAULT_HOURS
    wiki: str | None = None
    user: UserKind | None = None


def read_choice(query: Mapping[str, str], default_model: str) -> Choice:
    """Return the filters in a query string.

    Raises:
        ChoiceError: a filter has an invalid value.

    """
    wiki, model, user = (query.get(name) or None for name in ("wiki", "model", "user"))
    hours = query.get("hours") or str(DEFAULT_HOURS)
    if wiki is not None and not _WIKI.fullmatch(wiki):
        raise ChoiceError("wiki: expected a wiki_id such as enwiki")
    if model is not None and not _MODEL.fullmatch(model):
        raise ChoiceError("model: expected the name of a model")
    if user is not None and user not in set(UserKind):
        raise ChoiceError(f"user: expected one of {', '.join(UserKind)}")
    if hours not in map(str, BIN_MINUTES):
        raise ChoiceError(f"hours: expected one of {', '.join(map(str, BIN_MINUTES))}")
    return Choice(model or default_model, int(hours), wiki, None if user is None else UserKind(user))


def choices_sql() -> str:
    """Return the SQL for the wikis and models that can be chosen."""
    return _text(CHOICES)


def chart_sql(name: str, choice: Choice, thresholds: Thresholds, newest: datetime) -> str:
    """Return the SQL of a chart; the hours are counted back from the newest edit.

    A line of the file is left out if it has a placeholder of a filter that is not set.
    """
    until = newest + timedelta(milliseconds=1)
    values = {
        "model": quoted(choice.model),
        "wiki": None if choice.wiki is None else quoted(choice.wiki),
        "user": None if choice.user is None else quoted(choice.user.value),
        "since": _instant(until - timedelta(hours=choice.hours)),
        "until": _instant(until),
        "bin_minutes": str(BIN_MINUTES[choice.hours]),
        "threshold": _double(thresholds.default),
        "thresholds": _values(thresholds, choice),
    }
    lines = []
    for line in _text(name).splitlines():
        names = set(_PLACEHOLDER.findall(line))
        if all(values[each] is not None for each in names):
            lines.append(_PLACEHOLDER.sub(lambda found: values[found[1]] or "", line))
    return "\n".join(lines) + "\n"


def _values(thresholds: Thresholds, choice: Choice) -> str:
    """Return the thresholds in the thresholds file for the chosen model and wiki, as rows."""
    rows = [
        f"({quoted(version)}, {quoted(wiki_id)}, {_double(threshold)})"
        for (model, version, wiki_id), threshold in sorted(thresholds.by_model.items())
        if model == choice.model and (wiki_id == ALL or choice.wiki in {None, wiki_id})
    ]
    return f"(VALUES {', '.join(rows)})" if rows else _NO_THRESHOLDS


def _double(number: float) -> str:
    return f"CAST({number!r} AS DOUBLE)"  # without the cast, DuckDB reads a literal as DECIMAL


def _instant(moment: datetime) -> str:
    return f"TIMESTAMPTZ '{iso_z(moment)}'"


def _text(name: str) -> str:
    return files("revertrisk.dashboard").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
