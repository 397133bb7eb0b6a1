"""Building prediction events: one id for one input, copied by name, valid before it is sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from revertrisk.event_platform.page_change import PageChange
from revertrisk.event_platform.prediction_change import (
    PREDICTION_SCHEMA,
    PredictedClassification,
    PredictionEventBuilder,
    Redactions,
    UnbuildableEventError,
    event_id,
)
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository

STREAM = "mediawiki.page_revert_risk_prediction_change.v1"
PREDICTED = PredictedClassification("revertrisk-language-agnostic", "revertrisk-events-1", True, 0.912345)
CAPTURE = (
    Path(__file__).resolve().parents[4] / "shared/data/events/page_change_1.12.0_capture_2026-09-27.jsonl"
)


@pytest.fixture(scope="module")
def builder() -> PredictionEventBuilder:
    return PredictionEventBuilder(SchemaRepository(), STREAM)


def source() -> dict[str, Any]:
    """Return a page_change event with fields that the prediction schema has never heard of, at every level."""
    user = {"user_text": "Eva", "user_id": 3, "is_temp": False, "first_edit_dt": "2020-01-01T00:00:00Z"}
    return {
        "$schema": "/mediawiki/page/change/1.12.0",
        "meta": {
            "stream": "mediawiki.page_change.v1",
            "domain": "de.wikipedia.org",
            "uri": "https://de.wikipedia.org/wiki/Apfel",
            "id": "9a",
            "dt": "2026-10-01T12:00:05Z",
            "request_id": "3c1f",
            "topic": "eqiad.mediawiki.page_change.v1",
        },
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "dt": "2026-10-01T12:00:00Z",
        "wiki_id": "dewiki",
        "comment": "Tippfehler",
        "page": {"page_id": 7, "page_title": "Apfel", "namespace_id": 0, "wikibase_item_id": "Q89"},
        "performer": dict(user),
        "revision": {
            "rev_id": 102,
            "rev_parent_id": 101,
            "rev_dt": "2026-10-01T12:00:00Z",
            "comment": "Tippfehler",
            "editor": dict(user),
            "content_slots": {"main": {"content_model": "wikitext"}},
            "revert": {"method": "undo"},
        },
        "prior_state": {
            "page": {"page_title": "Apfl", "redirect_page_link": {"page_id": 9}},
            "revision": {
                "rev_id": 101,
                "comment": "neu",
                "editor": {"user_text": "Ada"},
                "content_slots": {},
            },
            "something": 1,
        },
        "created_redirect_page": {
            "page_id": 8,
            "page_title": "Apfl",
            "is_redirect": True,
            "redirect_page_link": {"page_id": 7},
        },
        "a_new_field": {"of": "the future"},
    }


def test_the_id_of_a_prediction_is_frozen() -> None:
    """This vector must hold for ever, or consumers see every redelivered prediction twice."""
    identifier = event_id(
        STREAM, PageChange.of(source()), "revertrisk-language-agnostic", "revertrisk-events-1"
    )
    assert identifier == "02a40095-86dc-5127-af1f-6b8642fcb9c4"


def test_every_part_of_the_key_counts() -> None:
    """Another wiki, page, revision, kind, stream, model or version has another id."""
    changes = [{}, {"wiki_id": "frwiki"}, {"page": {"page_id": 8}}, {"revision": {"rev_id": 103}}]
    changes.append({"page_change_kind": "move"})
    ids = {event_id(STREAM, PageChange.of(source() | changed), "m", "1") for changed in changes}
    change = PageChange.of(source())
    others = {
        event_id(*key)
        for key in (("s", change, "m", "1"), (STREAM, change, "n", "1"), (STREAM, change, "m", "2"))
    }
    assert len(ids | others) == 8


def test_only_what_the_schema_names_is_copied(builder: PredictionEventBuilder) -> None:
    """E18, E22, E23: unknown fields, content slots, reverts and nested redirect links stay behind."""
    event = builder.build(PageChange.of(source()), PREDICTED)
    assert "a_new_field" not in event
    assert event["page"] == {"page_id": 7, "page_title": "Apfel", "namespace_id": 0}
    assert event["performer"] == {"user_text": "Eva", "user_id": 3, "is_temp": False}
    assert event["revision"].keys() == {"rev_id", "rev_parent_id", "rev_dt", "comment", "editor"}
    assert event["prior_state"] == {
        "page": {"page_title": "Apfl"},
        "revision": {"rev_id": 101, "comment": "neu", "editor": {"user_text": "Ada"}},
    }
    assert event["created_redirect_page"] == {"page_id": 8, "page_title": "Apfl", "is_redirect": True}


def test_meta_is_the_predictions_own(builder: PredictionEventBuilder) -> None:
    """E42: meta.dt is EventGate's to set; request id, domain and uri are the source's."""
    meta = builder.build(PageChange.of(source()), PREDICTED)["meta"]
    assert meta == {
        "stream": STREAM,
        "id": event_id(STREAM, PageChange.of(source()), PREDICTED.model_name, PREDICTED.model_version),
        "request_id": "3c1f",
        "domain": "de.wikipedia.org",
        "uri": "https://de.wikipedia.org/wiki/Apfel",
    }


def test_a_source_without_request_id_still_gives_the_same_event_twice(
    builder: PredictionEventBuilder,
) -> None:
    """Without one, EventGate would invent a request id on each try."""
    event = source()
    del event["meta"]["request_id"]
    assert builder.build(PageChange.of(event), PREDICTED)["meta"]["request_id"]
    assert builder.build(PageChange.of(event), PREDICTED) == builder.build(PageChange.of(event), PREDICTED)


@pytest.mark.parametrize("prediction", [True, False])
def test_the_classification_is_as_consumers_know_it(
    builder: PredictionEventBuilder, *, prediction: bool
) -> None:
    """E36, E37: strings for classes, and probabilities that sum to one."""
    predicted = PredictedClassification("m", "1", prediction, 0.1)
    event = builder.build(PageChange.of(source()), predicted)
    assert event["predicted_classification"] == {
        "model_name": "m",
        "model_version": "1",
        "predictions": ["true" if prediction else "false"],
        "probabilities": {"true": 0.1, "false": 0.9},
    }


def test_what_the_api_hides_is_not_emitted(builder: PredictionEventBuilder) -> None:
    """E13, E14: names and comments that are hidden by now are taken out, and the event stays valid."""
    redactions = Redactions(user=True, comment=True, parent_user=True, parent_comment=True)
    event = builder.build(PageChange.of(source()), PREDICTED, redactions)
    text = json.dumps(event)
    assert not any(secret in text for secret in ("Eva", "Ada", "Tippfehler", '"neu"'))
    assert event["revision"]["is_editor_visible"] is False
    assert event["revision"]["is_comment_visible"] is False


def test_on_an_undelete_the_admin_stays(builder: PredictionEventBuilder) -> None:
    """E19: a hidden author does not hide who restored the page."""
    event = source() | {"page_change_kind": "undelete", "performer": {"user_text": "Adminka"}}
    built = builder.build(PageChange.of(event), PREDICTED, Redactions(user=True, comment=True))
    assert built["performer"] == {"user_text": "Adminka"}
    assert "editor" not in built["revision"]


def test_what_the_source_says_is_hidden_is_not_emitted(builder: PredictionEventBuilder) -> None:
    """A source that marks its editor hidden and names him all the same is not believed to have meant it."""
    event = source()
    event["revision"] |= {"is_editor_visible": False, "is_comment_visible": False}
    built = builder.build(PageChange.of(event), PREDICTED)
    assert not any(name in json.dumps(built) for name in ("Eva", "Tippfehler"))


def test_an_event_that_eventgate_would_refuse_is_not_built(builder: PredictionEventBuilder) -> None:
    """Our own check comes first, and says where."""
    event = source()
    event["meta"]["uri"] = "https://de.wikipedia.org/wiki/Zwei Worte"
    with pytest.raises(UnbuildableEventError, match="/meta/uri"):
        builder.build(PageChange.of(event), PREDICTED)


def test_real_events_become_valid_predictions(builder: PredictionEventBuilder) -> None:
    """Every kind of event of the newest capture can be copied into a valid prediction event."""
    if not CAPTURE.exists():
        pytest.skip("the captured events are not here: ../shared/data/events")
    validator = EventValidator(SchemaRepository().load(PREDICTION_SCHEMA))
    for line in CAPTURE.read_text().splitlines():
        event = builder.build(PageChange.of(json.loads(line)), PREDICTED)
        assert validator.violations(event) == []
