"""Which events are predictions, and what they say."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revertrisk.consumer import Drop, NaturalKey, PredictionReader, PredictionRecord
from revertrisk.event_platform.schemas import SchemaRepository
from tests.unit.consumer.prediction_events import MODEL, make_event

READER = PredictionReader()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


def test_a_prediction_is_read() -> None:
    """Identity, score and both times, in UTC; the edit's time and the time of receipt are two things."""
    event = make_event(dt="2019-01-31T14:00:00+02:00")
    assert READER.read(event) == PredictionRecord(
        stream="mediawiki.page_revert_risk_prediction_change.v1",
        event_id="5b2a7e0c-7d3f-5a57-8f0e-3b1f9a3c1d10",
        request_id="0f4d7c52-4e0c-4a7b-9a39-5a8f6a5b9a11",
        wiki_id="nnwiki",
        page_id=12,
        rev_id=345,
        page_change_kind="edit",
        model_name=MODEL,
        model_version="revertrisk-events-1",
        probability=0.25,
        changed_at=datetime(2019, 1, 31, 12, tzinfo=UTC),
        received_at=datetime(2026, 1, 31, 12, 0, 1, 250_000, tzinfo=UTC),
    )


def test_the_natural_key_names_revision_kind_and_model_version() -> None:
    """The page is not part of it, nor is anything that the gate or a redelivery changes."""
    read = READER.read(make_event(meta__id="another", meta__dt="2027-01-01T00:00:00Z"))
    assert isinstance(read, PredictionRecord)
    assert read.natural_key == NaturalKey("nnwiki", 345, "edit", MODEL, "revertrisk-events-1")


def test_nothing_personal_is_kept() -> None:
    """What a wiki may hide later, a comment, a name or a title, does not outlive the reading."""
    text = repr(READER.read(make_event()))
    assert not any(secret in text for secret in ("Eva", "retta", "Fjell"))


@pytest.mark.parametrize("version", ["1", "1.0.0", "1.1.0", "1.3.0", "1.4.0", "1.12.7"])
def test_any_minor_version_is_read(version: str) -> None:
    """Minor versions only add, so fields that nobody knows yet do no harm, at any level."""
    event = make_event(
        **{"$schema": f"/mediawiki/page/prediction_classification_change/{version}"},
        tomorrow={"of": "course"},
        page__tomorrow=1,
        revision__tomorrow=[],
        predicted_classification__tomorrow=None or {},
    )
    assert isinstance(READER.read(event), PredictionRecord)


@pytest.mark.parametrize(
    "schema",
    [
        "/mediawiki/page/prediction_classification_change/2.0.0",
        "/mediawiki/page/prediction_classification_change/10.0.0",
        "/mediawiki/page/prediction_classification_change/1.x",
        "/mediawiki/page/change/1.3.0",
        "https://elsewhere.example/mediawiki/page/prediction_classification_change/1.3.0",
        1,
        None,
    ],
)
def test_another_schema_is_dropped_as_such(schema: Any) -> None:
    """A new major version means something else, and comes on a stream of its own."""
    assert READER.read(make_event(**{"$schema": schema})) is Drop.OTHER_SCHEMA


INVALID: list[tuple[str, Any]] = [
    ("meta__id", None),
    ("meta__dt", None),
    ("meta__dt", "2026-02-30T12:00:00Z"),
    ("meta__dt", "2026-01-31T12:00:00"),
    ("meta__request_id", 7),
    ("meta__stream", None),
    ("wiki_id", None),
    ("wiki_id", ""),
    ("wiki_id", "\ud800"),
    ("dt", "yesterday"),
    ("page", []),
    ("page__page_id", "12"),
    ("page__page_id", True),
    ("revision__rev_id", None),
    ("revision__rev_id", -1),
    ("revision__rev_id", 2**53),
    ("revision__rev_id", 1.5),
    ("page_change_kind", None),
    ("predicted_classification", None),
    ("predicted_classification__model_version", None),
    ("predicted_classification__model_version", 3),
    ("predicted_classification__probabilities", {"false": 1.0}),
    ("predicted_classification__probabilities", {"true": 1.000001}),
    ("predicted_classification__probabilities", {"true": float("nan")}),
    ("predicted_classification__probabilities", {"true": "0.5"}),
]


@pytest.mark.parametrize(("path", "value"), INVALID)
def test_what_breaks_the_reading_contract_is_invalid(path: str, value: Any) -> None:
    """A prediction without what the consumer uses is none, and never an exception."""
    assert READER.read(make_event(**{path: value})) is Drop.INVALID


def test_a_canary_is_dropped_as_such() -> None:
    """Its domain says what it is, whatever else it looks like."""
    assert READER.read(make_event(meta__domain="canary")) is Drop.CANARY
    assert READER.read({"meta": {"domain": "canary"}}) is Drop.CANARY


def test_the_examples_of_the_schema_are_read_if_they_hold_a_prediction() -> None:
    """What the schema shows as an example is understood; one without a classification is no prediction."""
    examples = SchemaRepository().load("/mediawiki/page/prediction_classification_change/1.3.0")["examples"]
    kinds = [type(READER.read(example)) for example in examples]
    assert kinds == [
        PredictionRecord if "predicted_classification" in example else Drop for example in examples
    ]


@given(JSON)
def test_nothing_that_json_can_hold_is_an_error(document: Any) -> None:
    """A stream is foreign input: what is no prediction is dropped, never raised."""
    assert isinstance(READER.read(document), Drop)


@given(st.dictionaries(st.sampled_from(["meta", "page", "revision", "wiki_id", "dt", "x"]), JSON))
def test_no_field_of_another_type_is_an_error(changes: dict[str, Any]) -> None:
    """Nor is a prediction with any part replaced by anything."""
    assert isinstance(READER.read(make_event() | changes), PredictionRecord | Drop)
