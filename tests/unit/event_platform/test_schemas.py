import json
import math
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from revertrisk.event_platform.schemas import (
    EventValidator,
    SchemaNotFoundError,
    SchemaRepository,
    UnknownFields,
    Violation,
)

REPOSITORY = Path(__file__).resolve().parents[3]
EVENTS = REPOSITORY.parent / "shared" / "data" / "events"
PREDICTION = "/mediawiki/page/prediction_classification_change"
READING = "/reading/mediawiki/page/change/1"

needs_events = pytest.mark.skipif(
    not EVENTS.exists(), reason="the captured page_change events are not beside the repository"
)


@pytest.fixture(scope="module")
def schemas() -> SchemaRepository:
    """Return the shipped repository."""
    return SchemaRepository()


@pytest.fixture(scope="module")
def reading(schemas: SchemaRepository) -> EventValidator:
    """Return a validator of the reading contract."""
    return EventValidator(schemas.load(READING))


@pytest.fixture
def event(schemas: SchemaRepository) -> dict[str, Any]:
    """Return an event that keeps the reading contract, to be changed at will."""
    example: dict[str, Any] = deepcopy(schemas.load(READING)["examples"][0])
    return example


def pointers(violations: list[Violation]) -> list[str]:
    """Return where the violations are."""
    return [violation.pointer for violation in violations]


# --- the repository -------------------------------------------------------------------------------------


def test_a_schema_is_found_with_and_without_its_extension(schemas: SchemaRepository) -> None:
    """The bare version, the file name, latest and current are the same schema; a second load is cached."""
    newest = schemas.load(f"{PREDICTION}/1.3.0")
    assert newest["$id"] == f"{PREDICTION}/1.3.0"
    for name in ("1.3.0.yaml", "latest", "latest.yaml", "current.yaml", "current"):
        assert schemas.load(f"{PREDICTION}/{name}") == newest
    assert schemas.load(f"{PREDICTION}/1.3.0") is newest


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/",
        "mediawiki/page/prediction_classification_change/1.3.0",
        "/mediawiki/page/prediction_classification_change",
        "/mediawiki/page/prediction_classification_change/9.9.9",
        "/mediawiki/page/prediction_classification_change/1.3.0/",
        "/mediawiki/page/prediction_classification_change/1.3.0\n",
        "/mediawiki//page/prediction_classification_change/1.3.0",
        "/mediawiki/page/../page/prediction_classification_change/1.3.0",
        "/./mediawiki/page/prediction_classification_change/1.3.0",
        "//mediawiki/page/prediction_classification_change/1.3.0",
        "https://schema.example/mediawiki/page/prediction_classification_change/1.3.0",
        "file:///etc/passwd",
        "/__init__.py",
        "/mediawiki/page/prediction_classification_change/1.3.0?x",
        "/mediawiki/page/prediction_classification_change/1.3.0\x00",
    ],
)
def test_other_uris_are_not_found(schemas: SchemaRepository, uri: str) -> None:
    """Anything but the plain path of a schema file is refused, absolute URIs included."""
    with pytest.raises(SchemaNotFoundError):
        schemas.load(uri)


def test_nothing_outside_the_root_is_read(tmp_path: Path) -> None:
    """A repository in any folder serves what is below it and nothing beside it."""
    root = tmp_path / "repository"
    (root / "title").mkdir(parents=True)
    (root / "title" / "1.0.0.yaml").write_text("title: title", encoding="utf-8")
    (root / "title" / "2.0.0.yaml").write_text("just a text", encoding="utf-8")
    (tmp_path / "secret.yaml").write_text("title: secret", encoding="utf-8")
    schemas = SchemaRepository(root)
    assert schemas.load("/title/1.0.0") == {"title": "title"}
    for uri in ("/../secret", "/title/../../secret", "/title/2.0.0", str(tmp_path / "secret")):
        with pytest.raises(SchemaNotFoundError):
            schemas.load(uri)


# --- the violations -------------------------------------------------------------------------------------


def test_an_event_that_keeps_the_contract_has_no_violations(
    reading: EventValidator, event: dict[str, Any]
) -> None:
    """Unknown fields at every level, and unknown kinds of page change, are no violations."""
    event["page_change_kind"] = "teleport"
    for part in (event, event["meta"], event["page"], event["revision"], event["revision"]["content_slots"]):
        part["something_new"] = {"deep": [None]}
    assert reading.is_valid(event)
    assert reading.violations(event) == []


def test_a_missing_field_is_reported_where_it_should_stand(
    reading: EventValidator, event: dict[str, Any]
) -> None:
    """Every missing field has a violation of its own, at its own pointer, in the order of pointers."""
    del event["changelog_kind"], event["dt"], event["meta"]["stream"], event["revision"]["rev_id"]
    assert not reading.is_valid(event)
    assert reading.violations(event) == [
        Violation("/changelog_kind", "is missing", "required"),
        Violation("/dt", "is missing", "required"),
        Violation("/meta/stream", "is missing", "required"),
        Violation("/revision/rev_id", "is missing", "required"),
    ]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("changelog_kind", "upsert", [("enum", "must be one of insert, update, delete")]),
        ("wiki_id", "", [("minLength", "must not be empty")]),
        ("wiki_id", None, [("type", "must be a string")]),
        ("page/page_id", True, [("type", "must be an integer")]),
        ("page/page_id", 1.5, [("type", "must be an integer")]),
        ("page/page_id", "1", [("type", "must be an integer")]),
        ("page/page_id", -1, [("minimum", "must be at least 0")]),
        ("page/page_id", 2**53, [("maximum", "must be at most 9007199254740991")]),
        ("page/is_redirect", 0, [("type", "must be a boolean")]),
        ("revision/rev_id", 0, [("minimum", "must be at least 1")]),
        ("revision/editor", [], [("type", "must be an object")]),
        ("revision/editor", {"groups": "bot"}, []),
        (
            "dt",
            "2026-03-14T15:09:26",
            [("format", "must be an existing date-time with a time zone, such as 2026-01-31T12:00:00Z")],
        ),
        (
            "dt",
            "2026-02-30T15:09:26Z",
            [("format", "must be an existing date-time with a time zone, such as 2026-01-31T12:00:00Z")],
        ),
        (
            "meta/uri",
            "https://sv.wikipedia.org/wiki/A b",
            [("format", "must be a URI reference without spaces")],
        ),
        ("meta/uri", "x" * 8193, [("maxLength", "must have at most 8192 characters")]),
    ],
)
def test_a_violation_says_what_was_expected(
    reading: EventValidator, event: dict[str, Any], path: str, value: Any, expected: list[tuple[str, str]]
) -> None:
    """The message names the expectation in words, at the pointer of the value."""
    *parents, name = path.split("/")
    part = event
    for parent in parents:
        part = part[parent]
    part[name] = value
    found = [violation for violation in reading.violations(event) if violation.pointer == f"/{path}"]
    assert [(violation.keyword, violation.message) for violation in found] == expected
    assert not reading.is_valid(event)


def test_an_item_of_a_list_has_its_index_in_the_pointer(
    reading: EventValidator, event: dict[str, Any]
) -> None:
    """Items are counted from 0, and each bad one is reported."""
    event["performer"] = {"groups": ["user", 5, "", "bot"]}
    assert reading.violations(event) == [
        Violation("/performer/groups/1", "must be a string", "type"),
        Violation("/performer/groups/2", "must not be empty", "minLength"),
    ]


def test_pointers_are_escaped() -> None:
    """A slash or a tilde in a field's name is escaped as RFC 6901 says."""
    validator = EventValidator(
        {"type": "object", "required": ["a/b"], "properties": {"~/": {"type": "string"}}}
    )
    assert pointers(validator.violations({"~/": 1})) == ["/a~1b", "/~0~1"]


@pytest.mark.parametrize("value", [None, True, 1, "event", [], [{}]])
def test_what_is_no_object_is_one_violation(reading: EventValidator, value: Any) -> None:
    """A body that is no object at all is reported at the root."""
    assert reading.violations(value) == [Violation("", "must be an object", "type")]


def test_unknown_fields_are_named_up_to_a_limit(schemas: SchemaRepository) -> None:
    """Fields that the schema does not know are named, but only names, and at most ten."""
    validator = EventValidator(schemas.load("/test/event/1.0.0"))
    event = deepcopy(schemas.load("/test/event/1.0.0")["examples"][0])
    keyword = "additionalProperties"
    assert validator.violations(event | {"b": 1, "a": 2}) == [
        Violation("", "must not have unknown fields: a, b", keyword)
    ]
    assert validator.violations(event | {"a\nb": 1, "c": 1, "x" * 65: 1}) == [
        Violation("", "must not have unknown fields: c, 2 more", keyword)
    ]
    many = validator.violations(event | {f"f{number:04}": 1 for number in range(1000)})
    assert many == [
        Violation(
            "",
            f"must not have unknown fields: {', '.join(f'f{number:04}' for number in range(10))}, 990 more",
            keyword,
        )
    ]


def test_no_violation_repeats_a_value(schemas: SchemaRepository) -> None:
    """Whatever stands in a field, its value appears in no message and no pointer."""
    schema = schemas.load(f"{PREDICTION}/1.3.0")
    validator = EventValidator(schema)
    address = "192.0.2.77"
    for field in schema["properties"]:
        for value in (address, [address], {"user_text": [address]}, {"rev_id": address, "page_id": address}):
            event = deepcopy(schema["examples"][0]) | {field: value}
            assert address not in repr(validator.violations(event))


def test_a_hostile_event_is_not_listed_without_end(reading: EventValidator, event: dict[str, Any]) -> None:
    """The list of violations ends, however many faults an event has."""
    event["performer"] = {"groups": [0] * 10_000}
    assert len(reading.violations(event)) == 200


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_write_is_no_number(number: float) -> None:
    """NaN and infinity are refused as numbers and as integers, by both engines."""
    for kind, message in (("number", "must be a number"), ("integer", "must be an integer")):
        validator = EventValidator({"type": kind})
        assert not validator.is_valid(number)
        assert validator.violations(number) == [Violation("", message, "type")]


def test_half_a_surrogate_pair_is_judged_like_any_string(
    schemas: SchemaRepository, reading: EventValidator, event: dict[str, Any]
) -> None:
    """A string that no UTF-8 can hold raises nothing, as a key or as a value."""
    event["comment"] = event["\ud800"] = "\ud800"
    assert reading.is_valid(event)
    event["dt"] = "\ud800"
    assert pointers(reading.violations(event)) == ["/dt"]
    assert not reading.is_valid(event)
    strict = EventValidator(schemas.load("/test/event/1.0.0"))
    assert not strict.is_valid(schemas.load("/test/event/1.0.0")["examples"][0] | {"\ud800": 1})


def test_deep_nesting_is_not_followed(reading: EventValidator, event: dict[str, Any]) -> None:
    """A thousand nested lists in an unknown field are ignored; in a known one they are a wrong type."""
    deep: Any = "bottom"
    for _ in range(1000):
        deep = [deep]
    assert reading.is_valid(event | {"unknown": deep})
    for field in ("page", "changelog_kind", "wiki_id"):
        assert set(pointers(reading.violations(event | {field: deep}))) == {f"/{field}"}
        assert not reading.is_valid(event | {field: deep})


def test_a_schema_that_is_none_is_refused_at_once() -> None:
    """A validator is not made from a broken schema."""
    with pytest.raises(ValueError, match="nonsense"):
        EventValidator({"type": "nonsense"})


# --- unknown fields -------------------------------------------------------------------------------------

NAMED = {"properties": {"a": {"type": "string"}, "b": {"properties": {"c": {"properties": {"d": {}}}}}}}


@pytest.mark.parametrize(
    ("event", "unknown"),
    [
        ({"a": 1, "b": {"c": {"d": 2}}}, 0),
        ({"b": None}, 0),
        ({"x": {"y": 1}, "b": {"z": 1, "c": {"d": 1, "e": 2}}}, 3),
    ],
)
def test_unknown_fields_count_once_each_at_every_level(event: dict[str, Any], unknown: int) -> None:
    """What stands inside an unknown field belongs to it; known fields may be absent or of any type."""
    assert UnknownFields(NAMED).count(event) == unknown


# --- real events ----------------------------------------------------------------------------------------


def captured() -> list[tuple[str, dict[str, Any]]]:
    """Return every captured page_change event with the name of its file."""
    found = []
    for file in sorted(EVENTS.glob("*page_change*")):
        text = file.read_text(encoding="utf-8")
        for line in text.splitlines() if file.suffix == ".jsonl" else [text]:
            value = json.loads(line)
            found.append((file.name, value.get("event", value)))
    return found


@needs_events
def test_every_captured_event_keeps_the_reading_contract(reading: EventValidator) -> None:
    """Events of 1.2.0, 1.3.0, 1.6.0 and 1.12.0, of every kind and with hidden editors, are understood."""
    events = captured()
    assert len(events) == 12
    assert {event["$schema"].rpartition("/")[2] for _, event in events} == {
        "1.2.0",
        "1.3.0",
        "1.6.0",
        "1.12.0",
    }
    for name, event in events:
        assert reading.violations(event) == [], name
        assert reading.is_valid(event), name


@needs_events
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("walkthrough_1.json", {"/changelog_kind", "/page_change_kind", "/meta/stream"}),
        ("walkthrough_2.json", {"/changelog_kind", "/page_change_kind", "/dt", "/revision/rev_dt"}),
    ],
)
def test_the_walkthrough_events_lack_exactly_these_fields(
    reading: EventValidator, name: str, expected: set[str]
) -> None:
    """The sample events of the walk-through are refused with the list of the fields that they lack."""
    event = json.loads((EVENTS / name).read_text(encoding="utf-8"))["event"]
    violations = reading.violations(event)
    assert set(pointers(violations)) == expected
    assert {violation.message for violation in violations} == {"is missing"}


# --- the files ------------------------------------------------------------------------------------------

SCHEMA_FILES = sorted(file for file in Path(str(files("schemas"))).rglob("*.yaml") if file.name[0].isdigit())


@pytest.mark.parametrize("file", SCHEMA_FILES, ids=lambda file: "/".join(file.parts[-2:]))
def test_a_schema_file_is_sound(file: Path) -> None:
    """A file's title and id are its path, its examples satisfy it, and it needs no resolver."""
    schema = yaml.safe_load(file.read_text(encoding="utf-8"))
    title, version = str(file.parent.relative_to(files("schemas"))), file.stem  # type: ignore[arg-type] # a path
    assert schema["title"] == title
    assert schema["$id"] == f"/{title}/{version}"
    assert schema["$schema"] == "https://json-schema.org/draft-07/schema#"
    validator = EventValidator(schema)
    assert schema["examples"]
    for example in schema["examples"]:
        assert validator.violations(example) == []
        assert validator.is_valid(example)
    text = file.read_text(encoding="utf-8")
    assert text.count("$id:") == 1
    assert "$ref" not in text


@pytest.mark.parametrize("title", ["error", "test/event", PREDICTION[1:]])
def test_a_title_has_the_links_of_a_schema_repository(title: str) -> None:
    """Each version has a twin without extension; latest and current lead to the newest, by relative links."""
    folder = REPOSITORY / "schemas" / title
    versions = sorted(
        (file.stem for file in folder.glob("[0-9]*.yaml")),
        key=lambda version: [*map(int, version.split("."))],
    )
    links = {file.name: str(file.readlink()) for file in folder.iterdir() if file.is_symlink()}
    newest = f"{versions[-1]}.yaml"
    assert links == {
        **{version: f"{version}.yaml" for version in versions},
        "latest": newest,
        "latest.yaml": newest,
        "current.yaml": newest,
    }
