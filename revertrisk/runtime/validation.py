"""Explains pydantic's validation errors: the path of each field, and what was expected there."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_KINDS: Final[Mapping[str, str]] = {
    "bool": "true or false",
    "date": "a day such as 2026-11-21",
    "datetime": "a time",
    "dict": "an object",
    "float": "a number",
    "frozen_set": "an array",
    "int": "an integer",
    "list": "an array",
    "mapping": "an object",
    "model": "an object",
    "path": "a path",
    "set": "an array",
    "string": "a string",
    "timezone": "a time with its zone, such as 2026-11-21T08:00:00Z",
    "tuple": "an array",
}
"""What is expected, by the beginning of pydantic's error type: ``float_type``, ``float_parsing``."""
_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "dataclass_type": lambda _: "expected an object",
    "enum": lambda context: f"expected {context['expected']}",
    "extra_forbidden": lambda _: "is not known",
    "finite_number": lambda _: "expected a finite number",
    "greater_than": lambda context: f"expected a number above {context['gt']:g}",
    "greater_than_equal": lambda context: f"expected at least {context['ge']:g}",
    "json_invalid": lambda _: "is not JSON",
    "less_than": lambda context: f"expected a number below {context['lt']:g}",
    "less_than_equal": lambda context: f"expected at most {context['le']:g}",
    "literal_error": lambda context: f"expected {context['expected']}",
    "missing": lambda _: "is missing",
    "path_not_file": lambda _: "expected an existing file",
    "string_pattern_mismatch": lambda context: f"expected text that matches {context['pattern']}",
    "string_too_short": lambda _: "expected a string that is not empty",
    "too_short": lambda context: f"expected at least {context['min_length']}",
    "value_error": lambda context: str(context["error"]),
}


def explain(error: ValidationError) -> list[str]:
    """Return a line for each error, such as ``rules[0].name: expected a string``.

    The message of a validator's own ValueError is used unchanged. No value of the document is repeated.
    """
    return [": ".join(filter(None, (_path(each["loc"]), _sentence(each)))) for each in error.errors()]


def _path(steps: tuple[str | int, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def _sentence(error: ErrorDetails) -> str:
    sentence = _SENTENCES.get(error["type"])
    if sentence is not None:
        return sentence(error.get("ctx", {}))
    kind = _KINDS.get(error["type"].removesuffix("_type")) or _KINDS.get(error["type"].partition("_")[0])
    return "is not valid" if kind is None else f"expected {kind}"
