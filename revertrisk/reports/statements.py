"""The SQL of the reports: statements of the folder reports/sql with their values."""

from collections.abc import Sequence
from importlib.resources import files

from revertrisk.lake.engine import quoted


def statement(name: str, **values: str | float | Sequence[str]) -> str:
    """Return a statement with its values as literals; a sequence becomes rows of a text and its place."""
    text = template(name)
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", _literal(value))
    return text


def template(name: str) -> str:
    """Return a statement with the names of its values in braces."""
    return files("revertrisk.reports").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def _literal(value: str | float | Sequence[str]) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int | float):
        return str(value)
    return ", ".join(f"({quoted(each)}, {place})" for place, each in enumerate(value))
