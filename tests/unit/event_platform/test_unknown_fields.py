"""Fields that a schema does not name are counted at every level."""

from revertrisk.event_platform.schemas import SchemaRepository
from revertrisk.event_platform.unknown_fields import UnknownFields

SCHEMA = {"properties": {"a": {"type": "string"}, "b": {"properties": {"c": {"properties": {"d": {}}}}}}}


def test_known_fields_are_not_counted() -> None:
    """An event may have fewer fields than the schema, and values of any type."""
    assert UnknownFields(SCHEMA).count({"a": 1, "b": {"c": {"d": 2}}}) == 0
    assert UnknownFields(SCHEMA).count({"b": None}) == 0


def test_unknown_fields_count_once_each() -> None:
    """What stands inside an unknown field belongs to it."""
    assert UnknownFields(SCHEMA).count({"x": {"y": 1}, "b": {"z": 1, "c": {"d": 1, "e": 2}}}) == 3


def test_the_reading_contract_does_not_know_the_future() -> None:
    """The walk-through's second sample has a field of another system in its page, and four at the top."""
    contract = UnknownFields(SchemaRepository().load("/reading/mediawiki/page/change/1"))
    event = {"wiki_id": "enwiki", "user_id": 1, "timestamp": "", "page": {"page_id": 1, "page_namespace": 0}}
    assert contract.count(event) == 3
