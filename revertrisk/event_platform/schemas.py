"""JSON Schemas by URI, and the validation of events with them.

There are two engines with the same results. jsonschema-rs decides, in a few microseconds. Only for a refused event,
jsonschema finds the fields and the reasons. Both use JSON Schema draft 7 with EventGate's formats, as EventGate does.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import islice
from typing import Any, Final

import jsonschema
import jsonschema.validators
import jsonschema_rs
import yaml
from jsonschema.exceptions import ValidationError

from revertrisk.event_platform.formats import EVENTGATE_FORMAT_FUNCTIONS, URI_REFERENCE, format_checker
from revertrisk.runtime.instants import DATE_TIME, USUAL_INSTANT, is_instant

# Every segment starts with a letter or digit, which excludes "..", "__init__.py" and "//host".
_SCHEMA_URI: Final = re.compile(r"(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)+")

MAX_TITLE_BYTES: Final = 255
"""The limit of a title or a user name in UTF-8, as in MediaWiki's columns. JSON Schema can only count characters."""

_FORMAT_FUNCTIONS: Final = EVENTGATE_FORMAT_FUNCTIONS | {
    "instant": is_instant,
    "title": lambda text: len(text.encode(errors="surrogatepass")) <= MAX_TITLE_BYTES,
}
_FORMAT_CHECKER: Final = format_checker(_FORMAT_FUNCTIONS)

_FORMATS_AS_PATTERNS: Final[Mapping[str, dict[str, Any]]] = {
    "date-time": {"pattern": f"^(?:{DATE_TIME})$"},
    "uri-reference": {"pattern": f"^(?:{URI_REFERENCE})$"},
    "instant": {"anyOf": [{"pattern": f"^(?:{USUAL_INSTANT})$"}, {"format": "instant"}]},
}
"""Keywords that replace a format with the same result; jsonschema-rs checks them with few or no calls of Python."""
_VALUES: Final = frozenset({"const", "default", "enum", "examples"})
"""Keywords that hold values, not schemas."""

_MAX_VIOLATIONS: Final = 200
"""The most violations that are listed for one event. A hostile array can cause any number."""

_MAX_NAMES: Final = 10
_FIELD_NAME: Final = re.compile(r"[A-Za-z0-9_$.-]{1,64}")
"""Unknown fields are named only if they have this form, and at most `_MAX_NAMES`, since the sender chooses them."""


def _is_number(_: object, value: object) -> bool:
    # jsonschema's own check accepts NaN and infinity, which JSON does not have.
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _bounded(keyword: str) -> Callable[..., Iterator[ValidationError]]:
    """Return jsonschema's check of a keyword, without a RecursionError for deeply nested values.

    jsonschema's messages repeat the value, which fails with RecursionError for a thousand nested lists. The messages
    are not used, and the value was already found invalid.
    """
    check = jsonschema.Draft7Validator.VALIDATORS[keyword]

    def bounded(*arguments: Any) -> Iterator[ValidationError]:
        try:
            yield from check(*arguments)
        except RecursionError:
            yield ValidationError("nested too deeply")

    return bounded


_WordingValidator: Final = jsonschema.validators.extend(  # type: ignore[no-untyped-call] # its stub is bare
    jsonschema.Draft7Validator,
    # Only these keywords apply to values of any type.
    validators={keyword: _bounded(keyword) for keyword in ("const", "enum", "type")},
    type_checker=jsonschema.Draft7Validator.TYPE_CHECKER.redefine("number", _is_number),
)

_TYPES: Final = {
    "array": "an array",
    "boolean": "a boolean",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}
_FORMATS: Final = {
    "date-time": "a date-time with a time zone, such as 2026-01-31T12:00:00Z",
    "instant": "an existing date-time with a time zone, such as 2026-01-31T12:00:00Z",
    "title": f"a title of at most {MAX_TITLE_BYTES} bytes in UTF-8",
    "uri-reference": "a URI reference without spaces",
}


class SchemaNotFoundError(LookupError):
    """A schema repository has no schema with a URI."""


class SchemaRepository:
    """JSON Schemas in files ``<title>/<version>.yaml``, as in Wikimedia's schema repositories.

    ``root`` is the folder of the titles; by default the schemas that this distribution ships. A URI is a
    path below it, such as ``/mediawiki/page/prediction_classification_change/1.3.0``, with or without the
    file's extension; ``latest`` is a version as well.
    """

    def __init__(self, root: Traversable | None = None) -> None:
        self._root = root if root is not None else files("schemas")
        self._schemas: dict[str, dict[str, Any]] = {}

    def load(self, uri: str) -> dict[str, Any]:
        """Return the schema with a URI, read once; the caller must not change it.

        Raises:
            SchemaNotFoundError: it does not exist, or the URI is not a plain absolute path.

        """
        schema = self._schemas.get(uri)
        if schema is None:
            schema = self._schemas[uri] = self._read(uri)
        return schema

    def _read(self, uri: str) -> dict[str, Any]:
        if _SCHEMA_URI.fullmatch(uri) is None:
            raise SchemaNotFoundError("a schema URI is a path such as /mediawiki/page/change/1.0.0")
        for name in (uri[1:], f"{uri[1:]}.yaml"):
            file = self._root.joinpath(*name.split("/"))
            if file.is_file():
                schema = yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)
                if isinstance(schema, dict):
                    return schema
        raise SchemaNotFoundError(f"no schema at {uri}")


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """One error in an event: the field, and what was expected there.

    ``pointer`` is a JSON pointer (RFC 6901); for a missing field it is the pointer that the field would have.
    ``keyword`` is the JSON Schema keyword that is not satisfied. ``message`` continues a sentence that begins with the
    pointer, and never repeats a value of the event.
    """

    pointer: str
    message: str
    keyword: str


class EventValidator:
    """Validates events with one JSON Schema (draft 7), with the same results as EventGate.

    As in JSON, a boolean is not a number, and 1.0 is an integer. The event must be a value that a JSON parser returns,
    with strings as keys.

    Raises:
        ValueError: at construction, if the schema itself is not valid.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        plain = dict(schema)
        # jsonschema-rs would load the meta-schema in `$schema` over the network, and block the whole process. It is
        # removed; the class has the draft.
        offline = {name: value for name, value in plain.items() if name != "$schema"}
        self._validator = jsonschema_rs.Draft7Validator(
            _with_patterns(offline), formats=_FORMAT_FUNCTIONS, validate_formats=True
        )
        self._explainer = _WordingValidator(plain, format_checker=_FORMAT_CHECKER)

    def is_valid(self, event: Any) -> bool:
        """Return whether an event satisfies the schema; takes a few microseconds."""
        try:
            return self._validator.is_valid(event)
        except UnicodeEncodeError:
            # A lone surrogate, which Python's json accepts and a Rust string cannot hold.
            return not self.violations(event)

    def violations(self, event: Any) -> list[Violation]:
        """Return the errors in an event, sorted by pointer; empty if it is valid.

        At most 200 are listed. jsonschema yields them one by one, so the limit ends the search. jsonschema-rs has
        similar messages, but finds all errors first, and takes 8 to 12 s for 200,000 wrong items. The time grows with
        the size of the event, to about a second for a megabyte of tiny array items; so callers limit the size.
        """
        errors = islice(self._explainer.iter_errors(event), _MAX_VIOLATIONS)
        return sorted({violation for error in errors for violation in _violations(error)})


def _with_patterns(schema: Any) -> Any:
    """Return an equivalent schema with patterns for formats; it saves 6 % of the time of a request without a model."""
    if isinstance(schema, list):
        return [_with_patterns(subschema) for subschema in schema]
    if not isinstance(schema, dict):
        return schema
    rewritten = {name: value if name in _VALUES else _with_patterns(value) for name, value in schema.items()}
    name = schema.get("format")
    patterns = _FORMATS_AS_PATTERNS.get(name, {}) if isinstance(name, str) else {}
    if patterns and not patterns.keys() & rewritten.keys():
        del rewritten["format"]
        rewritten.update(patterns)
    return rewritten


class UnknownFields:
    """Counts the fields of an event that a schema does not name. They are ignored, but a metric shows them.

    Below a field for which the schema names no fields, none are counted.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        properties = schema.get("properties", {})
        self._names = frozenset(properties)
        self._parts = tuple(
            (name, UnknownFields(subschema))
            for name, subschema in properties.items()
            if subschema.get("properties")
        )

    def count(self, entity: Mapping[str, Any]) -> int:
        """Return the number of fields, at any level, that the schema does not name; it takes a few microseconds."""
        unknown = 0 if self._names.issuperset(entity) else len(entity.keys() - self._names)
        for name, fields in self._parts:
            part = entity.get(name)
            if isinstance(part, dict):
                unknown += fields.count(part)
        return unknown


def _violations(error: ValidationError) -> Iterator[Violation]:
    pointer = "".join(f"/{_escape(step)}" for step in error.absolute_path)
    keyword = str(error.validator)
    # jsonschema types these as possibly unset; they are set in every error of iter_errors.
    limit: Any = error.validator_value
    instance: Any = error.instance
    schema: Any = error.schema
    if keyword == "required":
        # jsonschema reports each missing field separately, but names it only in the text of its message.
        for name in limit:
            if name not in instance:
                yield Violation(f"{pointer}/{_escape(name)}", "is missing", keyword)
    elif keyword == "additionalProperties" and limit is False:
        known = schema.get("properties", {})
        yield Violation(pointer, _unknown(sorted(instance.keys() - known.keys())), keyword)
    elif keyword in _EXPECTATIONS:
        yield Violation(pointer, f"must {_EXPECTATIONS[keyword](limit)}", keyword)
    else:
        yield Violation(pointer, f"does not satisfy the schema's {keyword}", keyword)


def _escape(step: str | int) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")


def _unknown(names: list[str]) -> str:
    shown = [name for name in names if _FIELD_NAME.fullmatch(name)][:_MAX_NAMES]
    rest = f"{len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"must not have unknown fields: {', '.join([*shown, rest] if rest else shown)}"


_EXPECTATIONS: Final[Mapping[str, Callable[[Any], str]]] = {
    "enum": lambda values: f"be one of {', '.join(map(str, values))}",
    "format": lambda name: f"be {_FORMATS[name]}",
    "maximum": lambda limit: f"be at most {limit}",
    "maxLength": lambda limit: f"have at most {limit} characters",
    "minimum": lambda limit: f"be at least {limit}",
    "minLength": lambda limit: "not be empty" if limit == 1 else f"have at least {limit} characters",
    "type": lambda name: f"be {_TYPES[name]}",
}
