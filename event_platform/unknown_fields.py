"""Count the fields of an event that a schema does not name: ignored, but worth knowing about (DESIGN 6)."""

from collections.abc import Mapping
from typing import Any


class UnknownFields:
    """A schema's field names, arranged for a quick comparison with an event."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        properties = schema.get("properties", {})
        self._known = frozenset(properties)
        self._nested = {
            name: UnknownFields(subschema)
            for name, subschema in properties.items()
            if "properties" in subschema
        }

    def count(self, event: Mapping[str, Any]) -> int:
        """Return how many fields, at any level, the schema does not name; takes a few microseconds."""
        unknown = len(event.keys() - self._known)
        for name, nested in self._nested.items():
            value = event.get(name)
            if isinstance(value, dict):
                unknown += nested.count(value)
        return unknown
