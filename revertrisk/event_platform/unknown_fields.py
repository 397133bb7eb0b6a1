"""Count the fields of an event that a schema does not name: ignored, but worth knowing about (DESIGN 6)."""

from collections.abc import Mapping
from typing import Any


class UnknownFields:
    """The fields that a schema names, and those of each; in a field for which it names none, anything may come."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        properties = schema.get("properties", {})
        self._names = frozenset(properties)
        self._parts = tuple(
            (name, UnknownFields(subschema))
            for name, subschema in properties.items()
            if subschema.get("properties")
        )

    def count(self, entity: Mapping[str, Any]) -> int:
        """Return how many fields, at any level, the schema does not name; takes a few microseconds."""
        unknown = 0 if self._names.issuperset(entity) else len(entity.keys() - self._names)
        for name, fields in self._parts:
            part = entity.get(name)
            if isinstance(part, dict):
                unknown += fields.count(part)
        return unknown
