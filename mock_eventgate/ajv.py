"""Report an event's violations with AJV 6's messages, paths and order.

EventGate validates with AJV 6 and puts its errors into the answer. `verdicts` decides whether an event is valid;
this module finds the same violations with jsonschema and writes each as an AJV entry. Paths are AJV's own:
``dataPath`` is a JavaScript property path (``.page.page_id``, ``.groups[1]``; a key that the schema does
not name is always bracketed: ``.probabilities['true']``), ``schemaPath`` a URI fragment.

The messages were recorded from AJV 6.15; a unit test compares them with that record.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, Final
from urllib.parse import quote

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from revertrisk.event_platform.formats import EVENTGATE_FORMATS

Entry = dict[str, Any]
_SortKey = tuple[int, ...]

_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")

# AJV evaluates a schema's keywords in this order, whatever their order in the file. `type` comes after the
# keywords of one type, beside those that apply to every type.
_KEYWORDS: Final = (
    ("maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "multipleOf"),
    ("maxLength", "minLength", "pattern", "format"),
    ("maxItems", "minItems", "items", "contains", "uniqueItems"),
    ("maxProperties", "minProperties", "required", "dependencies", "propertyNames", "properties"),
    ("type", "const", "enum", "not", "anyOf", "oneOf", "allOf", "if"),
)
_KEYWORD_ORDER: Final = {keyword: rank for rank, keyword in enumerate(chain.from_iterable(_KEYWORDS))}

# `properties` also runs the two keywords beside it, in this order.
_EXTRA_KEYS, _NAMED_KEYS, _PATTERN_KEYS = range(3)


class AjvWording:
    """Reports violations of one schema as AJV 6 does with ``allErrors``."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._validator = Draft7Validator(schema, format_checker=EVENTGATE_FORMATS)

    def errors(self, event: Any) -> list[Entry]:
        """Return ``{keyword, dataPath, schemaPath, params, message}`` for each violation; [] if valid."""
        found: dict[_SortKey, Entry] = {}
        for error in self._validator.iter_errors(event):
            # jsonschema yields one `required` error per missing field, and each gives all the entries:
            # the same position replaces the same entry.
            found.update(_entries(error, self._schema, event))
        return [found[key] for key in sorted(found)]


def errors_text(errors: list[Entry]) -> str:
    """Return EventGate's ``errorsText``: every error, as ``'.page.page_id' should be integer``."""
    return ", ".join(f"'{error['dataPath']}' {error['message']}" for error in errors)


def _entries(
    error: ValidationError, schema: Mapping[str, Any], event: Any
) -> Iterator[tuple[_SortKey, Entry]]:
    place, data_path, schema_path = _locate(error, schema, event)
    keyword = str(error.validator)
    # jsonschema types these as possibly unset; they are set in every error of iter_errors.
    limit: Any = error.validator_value
    instance: Any = error.instance
    beside: Any = error.schema

    def entry(params: Entry, message: str) -> Entry:
        return {
            "keyword": keyword,
            "dataPath": data_path,
            "schemaPath": f"{schema_path}/{keyword}",
            "params": params,
            "message": message,
        }

    if keyword == "required":
        named = list(beside.get("properties", {}))
        for index, name in enumerate(limit):
            if name not in instance:
                # AJV reports a missing field while it walks `properties`, if the field is described there.
                where = (
                    (_KEYWORD_ORDER["properties"], _NAMED_KEYS, named.index(name))
                    if name in named
                    else (_KEYWORD_ORDER["required"], index)
                )
                message = f"should have required property '{name}'"
                yield (*place, *where), entry({"missingProperty": name}, message)
    elif keyword == "additionalProperties":
        for index, name in enumerate(instance):
            if _is_additional(name, beside):
                where = (_KEYWORD_ORDER["properties"], _EXTRA_KEYS, index)
                message = "should NOT have additional properties"
                yield (*place, *where), entry({"additionalProperty": name}, message)
    else:
        word = _WORDINGS.get(keyword)
        # AJV's message for a keyword that AJV itself does not define.
        params, message = word(limit) if word else ({}, f'should pass "{keyword}" keyword validation')
        yield (*place, _KEYWORD_ORDER.get(keyword, len(_KEYWORD_ORDER))), entry(params, message)


def _locate(error: ValidationError, schema: Mapping[str, Any], event: Any) -> tuple[_SortKey, str, str]:
    """Return the violated subschema's position in AJV's order, its dataPath and its schemaPath.

    It walks the error's two paths together: each keyword of the schema path says how many steps of the data
    path it takes, and the ranks collected on the way sort as AJV would report.
    """
    place: list[int] = []
    data_path, schema_path = "", "#"
    data_steps, schema_steps = iter(error.absolute_path), iter(list(error.absolute_schema_path)[:-1])
    here: Any = schema
    value: Any = event
    for keyword in schema_steps:
        rank = _KEYWORD_ORDER.get(str(keyword), len(_KEYWORD_ORDER))
        schema_path += f"/{keyword}"
        parent, here = here, here[keyword]
        if keyword == "properties":
            name = str(next(schema_steps))
            data_path += f".{name}" if _IDENTIFIER.fullmatch(name) else f"['{_escape_quotes(name)}']"
            schema_path += f"/{_escape_fragment(name)}"
            place += (rank, _NAMED_KEYS, list(parent["properties"]).index(name))
            here, value = here[name], value[next(data_steps)]
        elif keyword in ("additionalProperties", "patternProperties"):
            name = str(next(data_steps))
            data_path += f"['{name}']"
            place += (_KEYWORD_ORDER["properties"],)
            if keyword == "patternProperties":
                pattern = str(next(schema_steps))
                schema_path += f"/{_escape_fragment(pattern)}"
                place += (_PATTERN_KEYS, list(here).index(pattern))
                here = here[pattern]
            else:
                place += (_EXTRA_KEYS,)
            place += (list(value).index(name),)
            value = value[name]
        elif keyword == "items":
            index = next(data_steps)
            data_path += f"[{index}]"
            place += (rank, int(index))
            value = value[index]
            if isinstance(here, list):
                schema_path += f"/{next(schema_steps)}"
                here = here[int(index)]
        else:  # allOf, if, …: the same value, another schema
            place += (rank,)
            if isinstance(here, list):
                branch = int(next(schema_steps))
                schema_path += f"/{branch}"
                place += (branch,)
                here = here[branch]
    return tuple(place), data_path, schema_path


def _is_additional(name: str, schema: Mapping[str, Any]) -> bool:
    if name in schema.get("properties", {}):
        return False
    return not any(re.search(pattern, name) for pattern in schema.get("patternProperties", {}))


def _escape_quotes(name: str) -> str:
    return name.replace("\\", "\\\\").replace("'", "\\'")


def _escape_fragment(name: str) -> str:
    # JavaScript's encodeURIComponent leaves these characters, letters, digits and -_.~ as they are.
    return quote(name.replace("~", "~0").replace("/", "~1"), safe="!*'()")


def _types(types: str | list[str]) -> str:
    return types if isinstance(types, str) else ",".join(types)


def _bound(sign: str, *, exclusive: bool = False) -> Callable[[Any], tuple[Entry, str]]:
    return lambda limit: (
        {"comparison": sign, "limit": limit, "exclusive": exclusive},
        f"should be {sign} {limit}",
    )


def _size(comparison: str, what: str) -> Callable[[Any], tuple[Entry, str]]:
    return lambda limit: ({"limit": limit}, f"should NOT {comparison} {limit} {what}")


_WORDINGS: Final[Mapping[str, Callable[[Any], tuple[Entry, str]]]] = {
    "const": lambda value: ({"allowedValue": value}, "should be equal to constant"),
    "enum": lambda values: ({"allowedValues": values}, "should be equal to one of the allowed values"),
    "exclusiveMaximum": _bound("<", exclusive=True),
    "exclusiveMinimum": _bound(">", exclusive=True),
    "format": lambda name: ({"format": name}, f'should match format "{name}"'),
    "maxItems": _size("have more than", "items"),
    "maxLength": _size("be longer than", "characters"),
    "maxProperties": _size("have more than", "properties"),
    "maximum": _bound("<="),
    "minItems": _size("have fewer than", "items"),
    "minLength": _size("be shorter than", "characters"),
    "minProperties": _size("have fewer than", "properties"),
    "minimum": _bound(">="),
    "multipleOf": lambda factor: ({"multipleOf": factor}, f"should be multiple of {factor}"),
    "not": lambda _: ({}, "should NOT be valid"),
    "pattern": lambda pattern: ({"pattern": pattern}, f'should match pattern "{pattern}"'),
    "type": lambda types: ({"type": _types(types)}, f"should be {_types(types)}"),
}
