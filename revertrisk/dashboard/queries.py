"""The SQL of the charts: one file for each, in ``sql/``. The filters that a reader set are inserted as literals.

The page shows exactly the SQL that was executed, and the same text runs with ``revertrisk sql``. A client sends values
of filters, which are checked here; it cannot send SQL.
"""

import re
from collections.abc import Mapping, Sequence
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
OUTCOMES: Final = "outcomes"
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


def chart_sql(
    name: str, choice: Choice, thresholds: Thresholds, newest: datetime, *, min_pages: int = 0
) -> str:
    """Return the SQL of a chart; the hours are counted back from the newest edit.

    With fewer effective pages than ``min_pages`` a share is null.
    """
    return _filled(
        name,
        {
            "model": quoted(choice.model),
            "wiki": None if choice.wiki is None else quoted(choice.wiki),
            "user": None if choice.user is None else quoted(choice.user.value),
            "bin_minutes": str(BIN_MINUTES[choice.hours]),
            "threshold": _double(thresholds.default),
            "thresholds": _values(thresholds, choice),
            "min_pages": str(min_pages),
            **_span(choice, newest),
        },
    )


@dataclass(frozen=True, slots=True)
class FlaggedEdits:
    """What the SQL for the edits above the threshold of one model version is made from."""

    model_version: str
    watched: str
    """The query for all edits that this version scored, with what happened to them."""
    wikis: Sequence[tuple[str, float, float]]
    """By its place in that query, each wiki, its threshold and the time of its last event in seconds since 1970."""
    kinds: Sequence[str]
    """By its code in that query, each kind of user."""
    reverters: Sequence[str]
    """By its code in that query, from 1, each kind of reverter."""
    of_user: Sequence[int] | None
    """The codes of the chosen kinds of users; None for all."""


def flagged_sql(edits: FlaggedEdits, choice: Choice, newest: datetime) -> str:
    """Return the SQL for the edits above the threshold, a row each; the hours are counted back from the newest edit."""
    wikis = (
        f"({place}, {quoted(wiki_id)}, {_double(threshold)}, {_double(watermark)})"
        for place, (wiki_id, threshold, watermark) in enumerate(edits.wikis)
    )
    return _filled(
        OUTCOMES,
        {
            "version": quoted(edits.model_version),
            "watched": edits.watched.rstrip(),
            "wikis": ", ".join(wikis),
            "kinds": ", ".join(map(quoted, edits.kinds)),
            "reverters": ", ".join(map(quoted, edits.reverters)),
            "of_user": None if edits.of_user is None else ", ".join(map(str, edits.of_user)),
            **_span(choice, newest),
        },
    )


def _span(choice: Choice, newest: datetime) -> dict[str, str]:
    """Return the begin and the end of the chosen hours, as literals."""
    until = newest + timedelta(milliseconds=1)
    return {"since": _instant(until - timedelta(hours=choice.hours)), "until": _instant(until)}


def _filled(name: str, values: Mapping[str, str | None]) -> str:
    """Return the SQL of a file with its values.

    A line of the file is left out if it has a placeholder of a value that is not set.
    """
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
