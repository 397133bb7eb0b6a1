"""Strategies for events and bodies that are almost right."""

import copy
import json
from collections.abc import Sequence
from typing import Any

import orjson
from hypothesis import strategies as st

from tests.fakes.edited_wikis import MARKER, Event

Path = tuple[str | int, ...]

MARKED = st.text(max_size=20).map(lambda text: f"{MARKER}{text}")
INTEGERS = st.integers() | st.sampled_from([0, -1, 1, 2**31, 2**53 - 1, 2**53, 2**63, 2**64, 10**400])
STRINGS = (
    MARKED
    | st.sampled_from(
        [
            "",
            " ",
            "\x00",
            "\u2028",
            "a" * 300,
            "x" * 9000,
            "2024-02-30T00:00:00Z",
            "2024-01-02T00:00:00+23:59",
            "9999-12-31T23:59:60Z",
            "0001-01-01T00:00:00+14:00",
            "enwiki",
            "zh_yuewiki",
            "commonswiki",
            "en.wikipedia.org",
            "canary",
            "edit",
            "create",
            "move",
            "undelete",
            "delete",
            "insert",
            "update",
            "/mediawiki/page/change/1.0.0",
            "http://[::1",
            "//evil.example",
            "%zz",
            "192.0.2.1",
            "~2026-1",
            "٣",
        ]
    )
    | st.text(max_size=10)
)
LEAVES = st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | STRINGS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
    max_leaves=6,
)


def paths(value: Any, path: Path = ()) -> list[Path]:
    """Return the path of every value inside a JSON value."""
    found: list[Path] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        found += [(*path, step), *paths(inner, (*path, step))]
    return found


def at(value: Any, path: Sequence[str | int]) -> Any:
    """Return what is at a path."""
    for step in path:
        value = value[step]
    return value


@st.composite
def mutated(draw: st.DrawFn, events: list[Event]) -> Event:
    """Return one of the events with one to four changes: a value replaced, removed, added or copied elsewhere."""
    event = copy.deepcopy(draw(st.sampled_from(events)))
    for _ in range(draw(st.integers(1, 4))):
        places = paths(event)
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        inside = at(event, way)
        match draw(st.sampled_from(["replace", "replace", "remove", "add", "copy"])):
            case "replace":
                inside[last] = draw(VALUES)
            case "remove":
                del inside[last]
            case "add" if isinstance(inside, dict):
                inside[draw(STRINGS)] = draw(VALUES)
            case "copy":
                inside[last] = copy.deepcopy(at(event, draw(st.sampled_from(places))))
    return event


def event_bodies(events: list[Event]) -> st.SearchStrategy[bytes]:
    """Return bodies with a mutated event, wrapped or bare."""
    return st.builds(
        lambda event, wrapped: as_json({"event": event} if wrapped else event),
        mutated(events),
        st.booleans(),
    )


def call_bodies(rev_ids: list[int]) -> st.SearchStrategy[bytes]:
    """Return bodies of direct calls and batches, right and wrong."""
    ids = st.sampled_from(rev_ids) | VALUES
    call = st.fixed_dictionaries(
        {}, optional={"lang": st.sampled_from(["en", "yue", "enwiki"]) | VALUES, "rev_id": ids}
    )
    batch = st.fixed_dictionaries({"instances": st.lists(call | VALUES, max_size=5) | VALUES})
    unsaved = st.fixed_dictionaries(
        {
            "revision_data": st.fixed_dictionaries(
                {
                    "lang": st.just("en"),
                    "text": STRINGS | VALUES,
                    "timestamp": STRINGS | st.just("2024-01-02T00:00:00Z"),
                },
                optional={
                    "page": st.fixed_dictionaries({"title": STRINGS | VALUES}),
                    "parent": st.fixed_dictionaries(
                        {"text": STRINGS, "timestamp": st.just("2024-01-01T00:00:00Z")}
                    ),
                    "user": st.fixed_dictionaries({"id": INTEGERS}),
                    "comment": STRINGS | VALUES,
                },
            )
        }
    )
    return (call | batch | unsaved | VALUES).map(as_json)


def tensor_bodies(rev_ids: list[int]) -> st.SearchStrategy[bytes]:
    """Return bodies of the V2 protocol, right and wrong."""
    call = st.fixed_dictionaries(
        {"lang": st.sampled_from(["en", "yue"]), "rev_id": st.sampled_from(rev_ids) | VALUES}
    )
    elements = st.lists((call | VALUES).map(lambda value: as_json(value).decode()), min_size=1, max_size=3)
    fitting = elements.map(
        lambda data: {"name": "request", "shape": [len(data)], "datatype": "BYTES", "data": data}
    )
    odd = st.fixed_dictionaries(
        {},
        optional={
            "name": st.just("request") | VALUES,
            "shape": st.just([1]) | st.lists(INTEGERS, max_size=3) | VALUES,
            "datatype": st.sampled_from(["BYTES", "INT64", "FP32", "BOOL"]) | VALUES,
            "data": elements | VALUES,
            "parameters": VALUES,
        },
    )
    inputs = fitting.map(lambda tensor: [tensor]) | st.lists(fitting | odd, max_size=3) | VALUES
    body = st.fixed_dictionaries(
        {"inputs": inputs}, optional={"id": VALUES, "outputs": VALUES, "parameters": VALUES}
    )
    return (body | VALUES).map(as_json)


@st.composite
def broken_bodies(draw: st.DrawFn, events: list[Event]) -> bytes:
    """Return bodies that are cut, or have bytes changed or put in."""
    body = bytearray(orjson.dumps({"event": draw(st.sampled_from(events))}))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(body)))
        match draw(st.sampled_from(["cut", "insert", "change"])):
            case "cut":
                del body[at : at + draw(st.integers(1, 50))]
            case "insert":
                body[at:at] = draw(
                    st.binary(min_size=1, max_size=5)
                    | st.sampled_from([b"\\ud800", b"1e999", b"[" * 500, b"\xed\xa0\x80"])
                )
            case "change":
                body[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
    return bytes(body)


def as_json(value: Any) -> bytes:
    """Write JSON; where orjson cannot (an integer beyond 64 bits), as the standard library does."""
    try:
        return orjson.dumps(value)
    except (TypeError, orjson.JSONEncodeError):
        return json.dumps(value).encode("utf-8", "surrogatepass")
