"""The SQL queries of the reports, from the folder reports/sql, with their parameters filled in."""

import re
from collections.abc import Sequence
from importlib.resources import files

from revertrisk.lake.engine import quoted

_PLACE = re.compile(r"\{(\w+)\}")


def statement(name: str, **values: str | float | Sequence[str]) -> str:
    """Return a query with its values as SQL literals. A sequence becomes rows of a text and its index.

    Raises:
        KeyError: a value of the query is missing.

    """
    # In one pass, because a value can contain braces: the name of a model comes from an event.
    return _PLACE.sub(lambda place: _literal(values[place[1]]), template(name))


def template(name: str) -> str:
    """Return a query with the names of its values in braces."""
    return files("revertrisk.reports").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def _literal(value: str | float | Sequence[str]) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int | float):
        return str(value)
    return ", ".join(f"({quoted(each)}, {place})" for place, each in enumerate(value))
