"""Count the fields of an event that a schema does not name: ignored, but worth knowing about (DESIGN 6)."""

from collections.abc import Mapping
from typing import Any

Fields = dict[str, "Fields"]
"""The fields that a schema names, and those of each; of none, anything may come."""


class UnknownFields:
    """A schema's field names, arranged for a quick comparison with an event."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._fields = _fields(schema)

    def count(self, event: Mapping[str, Any]) -> int:
        """Return how many fields, at any level, the schema does not name; takes a few microseconds."""
        unknown = 0
        left = [(self._fields, event)]
        for fields, entity in left:  # which grows meanwhile
            for name, value in entity.items():
                if name not in fields:
                    unknown += 1
                elif isinstance(value, dict) and fields[name]:
                    left.append((fields[name], value))
        return unknown


def _fields(schema: Mapping[str, Any]) -> Fields:
    return {name: _fields(subschema) for name, subschema in schema.get("properties", {}).items()}
