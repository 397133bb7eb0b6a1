"""The SQL of the reports: statements of the folder reports/sql with their values."""

import re
from collections.abc import Sequence
from importlib.resources import files

from revertrisk.lake.engine import quoted

_PLACE = re.compile(r"\{(\w+)\}")


def statement(name: str, **values: str | float | Sequence[str]) -> str:
    """Return a statement with its values as literals; a sequence becomes rows of a text and its place."""
    # In one pass: a value may have the name of another value in braces, as a model's name in an event may.
    return _PLACE.sub(lambda place: _literal(values[place[1]]), template(name))


def template(name: str) -> str:
    """Return a statement with the names of its values in braces."""
    return files("revertrisk.reports").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def _literal(value: str | float | Sequence[str]) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int | float):
        return str(value)
    return ", ".join(f"({quoted(each)}, {place})" for place, each in enumerate(value))
