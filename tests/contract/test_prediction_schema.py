"""Our prediction schemas give the published schemas' verdicts, and both engines give the same verdict."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revertrisk.event_platform.schemas import EventValidator, SchemaRepository

SCHEMAS_UPSTREAM = Path(__file__).resolve().parents[3] / "shared" / "schemas_upstream"
TITLE = "/mediawiki/page/prediction_classification_change"
READING = "/reading/mediawiki/page/change/1"

needs_published = pytest.mark.skipif(
    not SCHEMAS_UPSTREAM.exists(), reason="the published schemas are not beside the repository"
)

REPOSITORY = SchemaRepository()
VALIDATORS = {
    uri: EventValidator(REPOSITORY.load(uri))
    for uri in (
        f"{TITLE}/1.1.0",
        f"{TITLE}/1.2.0",
        f"{TITLE}/1.3.0",
        READING,
        "/test/event/1.0.0",
        "/error/1.0.0",
    )
}


@pytest.fixture(scope="module")
def published() -> EventValidator:
    """Return a validator of the published 1.1.0."""
    return EventValidator(SchemaRepository(SCHEMAS_UPSTREAM).load(f"{TITLE}/1.1.0"))


# --- mutated events: mostly valid ones, wrong in one to three places ------------------------------------

ODD_VALUES = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 2, 1.0, -1.0, 0.5, 1e300, -0.0),
        *(2**53 - 1, 2**53, float(2**53), -(2**53), 2**63, 2**64, 10**30),
        *("", "a", "a b", "é", "1", "edit", "delete", "https://x.example/a?b#c", "\\", "\x00", "x" * 129),
        *("2021-01-01T00:00:00Z", "2021-01-01T00:00:00+00:00", "2021-01-01T00:00:00", "2021-02-30 00:00:00z"),
        *([], {}, [""], ["a", "b"], [1], {"a": 1}, {"a": "1"}, {"page_id": 1, "page_title": "A"}),
        {"rev_id": 1, "rev_dt": "2021-01-01T00:00:00Z"},
        {"stream": "s"},
    ]
).map(deepcopy)  # a later mutation may change what is drawn
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object inside a value, itself first."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(inner)


def field_names(schema: Any) -> set[str]:
    """Return every field name that a schema knows, at any level."""
    return {name for part in objects(schema) for name in part.get("properties", {})}


@st.composite
def mutated(draw: st.DrawFn, uri: str) -> Any:
    """Draw an example of a schema with up to three fields removed, replaced or added."""
    schema = REPOSITORY.load(uri)
    names = [*sorted(field_names(schema)), "unknown", "a/b~c"]
    event: Any = deepcopy(draw(st.sampled_from(schema["examples"])))
    for _ in range(draw(st.integers(0, 3))):
        part = draw(st.sampled_from(list(objects(event))))
        name = draw(st.sampled_from(sorted(part) or names) | st.sampled_from(names))
        if draw(st.booleans()):
            part[name] = draw(ODD_VALUES | JSON)
        else:
            part.pop(name, None)
    return event


def check_many(examples: int) -> Callable[..., Any]:
    """Return the settings of a test over mutated events: no deadline, the machine may be busy."""
    return settings(max_examples=examples)


@pytest.mark.parametrize("uri", VALIDATORS)
@check_many(150)
@given(data=st.data())
def test_both_engines_agree(uri: str, data: st.DataObject) -> None:
    """An event is valid to the engine that decides exactly if the one that words finds nothing wrong."""
    event = data.draw(mutated(uri) | JSON)
    assert VALIDATORS[uri].is_valid(event) == (VALIDATORS[uri].violations(event) == [])


@needs_published
@check_many(400)
@given(event=mutated(f"{TITLE}/1.1.0"))
def test_our_schema_judges_like_the_published_one(published: EventValidator, event: Any) -> None:
    """Our 1.1.0 and the published 1.1.0 find the same faults in the same places, or none."""
    assert VALIDATORS[f"{TITLE}/1.1.0"].is_valid(event) == published.is_valid(event)
    assert VALIDATORS[f"{TITLE}/1.1.0"].violations(event) == published.violations(event)


@pytest.mark.parametrize(("older", "newer"), [("1.1.0", "1.2.0"), ("1.2.0", "1.3.0")])
@check_many(150)
@given(data=st.data())
def test_a_version_takes_what_the_one_before_took(older: str, newer: str, data: st.DataObject) -> None:
    """Minor versions only add: an event that is valid in one is valid in the next."""
    event = data.draw(mutated(f"{TITLE}/{older}"))
    if VALIDATORS[f"{TITLE}/{older}"].is_valid(event):
        assert VALIDATORS[f"{TITLE}/{newer}"].is_valid(event)


@needs_published
def test_the_published_examples_satisfy_ours() -> None:
    """What the published schema gives as an example is valid to ours, in every version."""
    for version in ("1.0.0", "1.1.0"):
        for example in SchemaRepository(SCHEMAS_UPSTREAM).load(f"{TITLE}/{version}")["examples"]:
            for ours in ("1.1.0", "1.2.0", "1.3.0"):
                assert VALIDATORS[f"{TITLE}/{ours}"].violations(example) == []


# --- EventGate's verdicts, as recorded ------------------------------------------------------------------


def changed(**changes: Any) -> dict[str, Any]:
    """Return the 1.1.0 example with fields set, by pointers with ``__`` for ``/``; ``...`` removes one."""
    event: dict[str, Any] = deepcopy(REPOSITORY.load(f"{TITLE}/1.1.0")["examples"][0])
    for path, value in changes.items():
        *parents, name = path.split("__")
        part = event
        for parent in parents:
            part = part[parent]
        if value is ...:
            del part[name]
        else:
            part[name] = value
    return event


ACCEPTED = {
    "no predicted_classification": {"predicted_classification": ...},
    "a probability of 2": {"predicted_classification__probabilities__true": 2},
    "no predictions": {"predicted_classification__predictions": []},
    "extra key in meta": {"meta__topic": "eqiad.mediawiki"},
    "extra key in predicted_classification": {"predicted_classification__threshold": 0.5},
    "empty performer": {"performer": {}},
    "offset instead of Z": {"dt": "2026-03-14T15:09:26+00:00"},
    "fraction of a second": {"dt": "2021-01-01T00:00:00.0Z"},
    "extra key in prior_state": {"prior_state__comment": "x"},
    "page id 0": {"page__page_id": 0},
    "whole number with a point": {"page__page_id": 1.0},
}
REFUSED = {
    "no performer": ({"performer": ...}, "/performer"),
    "extra key in page": ({"page__wikibase_item_id": "Q1"}, "/page"),
    "extra key in revision": ({"revision__content_slots": {}}, "/revision"),
    "extra key at the top": ({"revert": {}}, ""),
    "dt without a time zone": ({"dt": "2026-03-14T15:09:26"}, "/dt"),
    "space in meta.uri": ({"meta__uri": "https://sv.wikipedia.org/wiki/A b"}, "/meta/uri"),
    "rev_id 0": ({"revision__rev_id": 0}, "/revision/rev_id"),
    "rev_id true": ({"revision__rev_id": True}, "/revision/rev_id"),
    "numeric model_version": (
        {"predicted_classification__model_version": 4},
        "/predicted_classification/model_version",
    ),
    "probability as a string": (
        {"predicted_classification__probabilities__true": "0.1"},
        "/predicted_classification/probabilities/true",
    ),
    "null comment": ({"comment": None}, "/comment"),
    "unknown page_change_kind": ({"page_change_kind": "teleport"}, "/page_change_kind"),
    "redirect link in prior_state.page": (
        {"prior_state__page": {"redirect_page_link": {}}},
        "/prior_state/page",
    ),
}


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=list(ACCEPTED))
def test_eventgate_accepts(changes: dict[str, Any]) -> None:
    """What EventGate was seen to accept under 1.1.0 is valid."""
    assert VALIDATORS[f"{TITLE}/1.1.0"].violations(changed(**changes)) == []
    assert VALIDATORS[f"{TITLE}/1.1.0"].is_valid(changed(**changes))


@pytest.mark.parametrize(("changes", "pointer"), REFUSED.values(), ids=list(REFUSED))
def test_eventgate_refuses(changes: dict[str, Any], pointer: str) -> None:
    """What EventGate was seen to refuse under 1.1.0 is not valid, and the fault is found at its place."""
    violations = VALIDATORS[f"{TITLE}/1.1.0"].violations(changed(**changes))
    assert [violation.pointer for violation in violations] == [pointer]
    assert not VALIDATORS[f"{TITLE}/1.1.0"].is_valid(changed(**changes))


# --- what the later versions add ------------------------------------------------------------------------

USER_1_3_0 = {"user_text": "A", "user_central_id": 1, "wiki_id": "svwiki"}
REVERT = {
    "method": "undo",
    "is_exact": True,
    "rev_original_id": 1,
    "rev_original_dt": "2026-03-14T15:09:26Z",
    "rev_reverted_oldest_id": 2,
    "rev_reverted_newest_id": 3,
}


@pytest.mark.parametrize(
    ("since", "changes"),
    [
        ("1.2.0", {"performer": ...}),
        ("1.3.0", {"page__namespace_is_content": True}),
        ("1.3.0", {"prior_state__page": {"namespace_is_content": False}}),
        ("1.3.0", {"page__redirect_page_link": {"namespace_id": -1}}),
        ("1.3.0", {"performer": USER_1_3_0}),
        ("1.3.0", {"revision__editor": USER_1_3_0}),
        ("1.3.0", {"revision__revert": REVERT}),
        ("1.3.0", {"revision__revert": {}}),
    ],
)
def test_a_version_adds(since: str, changes: dict[str, Any]) -> None:
    """What a version adds is valid from then on and not before."""
    for version in ("1.1.0", "1.2.0", "1.3.0"):
        assert VALIDATORS[f"{TITLE}/{version}"].is_valid(changed(**changes)) == (version >= since)


@pytest.mark.parametrize(
    "changes",
    [
        {"page__namespace_id": -1},
        {"page__redirect_page_link": {"namespace_id": -2}},
        {"page__redirect_page_link": {"namespace_is_content": True}},
        {"page__wikibase_item_id": "Q1"},
        {"performer": {"edit_global_count": 1}},
        {"performer": {"wiki_id": ""}},
        {"revision__revert": REVERT | {"by": "A"}},
        {"revision__revert": REVERT | {"rev_original_id": 0}},
        {"created_redirect_page": {"page_id": 1, "page_title": "A", "redirect_page_link": {}}},
        {"created_redirect_page": {"page_id": 1}},
    ],
)
def test_the_newest_version_refuses(changes: dict[str, Any]) -> None:
    """Entities of 1.3.0 take no fields that it does not name, and no redirect link where a page has none."""
    assert not VALIDATORS[f"{TITLE}/1.3.0"].is_valid(changed(**changes))


# --- what is read can be written ------------------------------------------------------------------------

NOT_COPIED = {"predicted_classification", "revert"}
WORDS = {"title", "description", "additionalProperties", "properties"}


def weaker(read: dict[str, Any], written: dict[str, Any], where: str) -> list[str]:
    """Return the places where the first schema does not ask for what the second one asks for."""
    asked = {key: value for key, value in read.items() if key not in WORDS}
    needed = {key: value for key, value in written.items() if key not in WORDS}
    if needed.get("format") == "date-time":
        # The reading contract's format takes a part of what date-time takes.
        needed["format"] = "instant"
    if isinstance(needed.get("items"), dict):
        needed["items"] = {key: value for key, value in needed["items"].items() if key not in WORDS}
    found = [f"{where}: {key}" for key, value in needed.items() if asked.get(key) != value]
    for name, inner in written.get("properties", {}).items():
        if name not in NOT_COPIED:
            found += weaker(read.get("properties", {}).get(name, {}), inner, f"{where}/{name}")
    return found


def test_an_event_that_keeps_the_reading_contract_can_be_copied() -> None:
    """Every field that 1.3.0 names is read, under the same conditions; only the kind of change is open."""
    written = {key: value for key, value in REPOSITORY.load(f"{TITLE}/1.3.0").items() if key[0] != "$"}
    for key in ("definitions", "examples"):
        written.pop(key)
    assert weaker(REPOSITORY.load(READING), written, "") == ["/page_change_kind: enum"]
