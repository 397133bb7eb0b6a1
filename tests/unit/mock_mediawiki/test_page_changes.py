"""The page_change events that a history tells."""

import io
import json
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, FormatChecker

from mock_mediawiki.page_changes import page_changes, write_page_changes
from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.exports.history import ExportHistory
from revertrisk.wiki.exports.index import indexed_export
from revertrisk.wiki.table import WikiTable

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
PUBLISHED = SHARED / "schemas_upstream/mediawiki/page/change/1.2.0.yaml"
CAPTURE = SHARED / "data/events/page_change_1.12.0_capture_2026-09-27.jsonl"
KINDS = """\
wiki_id: frwiki
pages:
  - page_id: 20
    title: "C'est l'été ? (100 % vrai)"
    revisions:
      - {rev_id: 1, timestamp: 2026-01-01T00:00:00Z, user: 192.0.2.1, text: a}
      - {rev_id: 2, timestamp: 2026-01-02T00:00:00Z, user: 192.0.2.1, comment: b, label: bad, text: b,
         hidden: [text, user, comment]}
      - {rev_id: 3, timestamp: 2026-01-03T00:00:00Z, label: good, text: a, revert_method: undo, comment: c}
      - {rev_id: 4, timestamp: 2026-01-04T00:00:00Z, kind: move, moved_from: Ancien titre, comment: titre}
      - {rev_id: 5, timestamp: 2026-01-05T00:00:00Z, user: 192.0.2.1, kind: undelete, text: a}
      - {rev_id: 6, timestamp: 2026-01-06T00:00:00Z, parent: 404, label: good, text: z}
  - page_id: 21
    title: Ancien titre
    revisions:
      - {rev_id: 7, timestamp: 2026-01-04T00:00:00Z, text: "#REDIRECTION [[Été]]"}
"""


def events_of(content: str, wikis: WikiTable) -> dict[int, dict[str, Any]]:
    """Return the events of a sample file by revision."""
    history = SampleHistory.read([("sample.yaml", content)], wikis)
    return {event["revision"]["rev_id"]: event for event in page_changes(history, wikis)}


def without_unknown(value: Any, schema: dict[str, Any]) -> Any:
    """Return a value less the fields that a schema does not have."""
    if not isinstance(value, dict):
        return value
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", {})
    return {
        name: without_unknown(item, known.get(name, others))
        for name, item in value.items()
        if name in known or isinstance(others, dict)
    }


def paths(value: Any, prefix: str = "") -> set[str]:
    """Return the path of every field of an event."""
    if not isinstance(value, dict):
        return set()
    found = {f"{prefix}/{name}" for name in value}
    return found.union(*(paths(item, f"{prefix}/{name}") for name, item in value.items()))


def test_an_edit_s_event_has_everything_that_a_wiki_would_tell(sample: str, wikis: WikiTable) -> None:
    """The event of a revert by an account: page, author with facts of the time, prior state and the revert."""
    event = events_of(sample, wikis)[102]

    editor = {
        "user_text": "Neu",
        "groups": ["*", "user"],
        "is_temp": False,
        "wiki_id": "dewiki",
        "user_id": 8,
        "edit_count": 3,
        "registration_dt": "2026-07-31T00:00:00Z",
        "is_bot": False,
        "is_system": False,
    }
    assert event.pop("meta") == {
        "stream": "mediawiki.page_change.v1",
        "uri": "https://de.wikipedia.org/wiki/Apfelbaum_im_Garten",
        "id": "34cf6ba5-eb9a-5126-83fc-3741a9c3771b",
        "request_id": "0ad9caa3-abed-5613-8e1a-fd9ec4061a99",
        "domain": "de.wikipedia.org",
        "dt": "2026-08-01T12:00:00Z",
        "key": {"wiki_id": "dewiki", "page_id": 10},
    }
    prior_state = event.pop("prior_state")
    assert event == {
        "$schema": "/mediawiki/page/change/1.12.0",
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "dt": "2026-08-01T12:00:00Z",
        "wiki_id": "dewiki",
        "page": {
            "page_id": 10,
            "page_title": "Apfelbaum_im_Garten",
            "namespace_id": 0,
            "is_redirect": False,
            "namespace_is_content": True,
        },
        "performer": editor,
        "revision": {
            "rev_id": 102,
            "rev_dt": "2026-08-01T12:00:00Z",
            "is_minor_edit": True,
            "rev_parent_id": 101,
            "is_content_visible": True,
            "is_editor_visible": True,
            "is_comment_visible": True,
            "comment": "zurück",
            "editor": editor,
            "rev_sha1": "o0r42laixtrk0otnkp7t6he5w4pfq29",
            "rev_size": 14,
            "content_slots": {
                "main": {
                    "slot_role": "main",
                    "content_model": "wikitext",
                    "content_sha1": "o0r42laixtrk0otnkp7t6he5w4pfq29",
                    "content_size": 14,
                    "content_format": "text/x-wiki",
                    "origin_rev_id": 102,
                }
            },
            "revert": {
                "method": "manual",
                "is_exact": True,
                "rev_original_id": 100,
                "rev_original_dt": "2026-08-01T10:00:00Z",
                "rev_reverted_oldest_id": 101,
                "rev_reverted_newest_id": 101,
            },
        },
    }
    assert prior_state.keys() == {"revision"}
    assert prior_state["revision"]["rev_id"] == 101
    assert prior_state["revision"]["editor"] == {
        "user_text": "203.0.113.5",
        "groups": ["*"],
        "is_temp": False,
        "wiki_id": "dewiki",
        "is_bot": False,
        "is_system": False,
    }


def test_a_creation_has_parent_0_and_no_past(sample: str, wikis: WikiTable) -> None:
    """A creation is an insert without prior state; a bot's account says so."""
    event = events_of(sample, wikis)[100]

    assert (event["page_change_kind"], event["changelog_kind"]) == ("create", "insert")
    assert event["revision"]["rev_parent_id"] == 0
    assert "prior_state" not in event
    assert event["performer"]["is_bot"] is True


def test_hidden_parts_are_absent_and_said_to_be_hidden(wikis: WikiTable) -> None:
    """Nothing of a hidden text, author or comment is in the event, nor in that of its successor."""
    events = events_of(KINDS, wikis)

    for revision in (events[2]["revision"], events[3]["prior_state"]["revision"]):
        assert revision == {
            "rev_id": 2,
            "rev_dt": "2026-01-02T00:00:00Z",
            "is_minor_edit": False,
            "rev_parent_id": 1,
            "is_content_visible": False,
            "is_editor_visible": False,
            "is_comment_visible": False,
        }
    assert "performer" not in events[2]
    assert "comment" not in events[2]


def test_an_unknown_author_is_absent(wikis: WikiTable) -> None:
    """An author whom the source does not name leaves performer and editor out, visible as they are."""
    event = events_of(KINDS, wikis)[3]

    assert event["revision"]["is_editor_visible"] is True
    assert "editor" not in event["revision"]
    assert "performer" not in event
    assert event["revision"]["revert"]["method"] == "undo"


def test_a_move_tells_both_titles_and_the_redirect_left_behind(wikis: WikiTable) -> None:
    """A move keeps its parent's content; events before it have the old title."""
    events = events_of(KINDS, wikis)

    move = events[4]
    assert (move["page_change_kind"], move["changelog_kind"], move["comment"]) == ("move", "update", "titre")
    assert move["page"]["page_title"] == "C'est_l'été_?_(100_%_vrai)"
    assert move["meta"]["uri"] == (
        "https://fr.wikipedia.org/wiki/C%27est_l%27%C3%A9t%C3%A9_%3F_(100_%25_vrai)"
    )
    assert move["prior_state"]["page"] == {"page_title": "Ancien_titre"}
    assert move["prior_state"]["revision"]["rev_id"] == 3
    assert move["revision"]["rev_sha1"] == move["prior_state"]["revision"]["rev_sha1"]
    assert move["revision"]["content_slots"]["main"]["origin_rev_id"] == 3
    assert "revert" not in move["revision"]
    assert move["created_redirect_page"] == events[7]["page"]
    assert events[7]["page"]["is_redirect"] is True
    assert events[1]["page"]["page_title"] == "Ancien_titre"


def test_an_undeletion_names_the_author_but_not_who_restored(wikis: WikiTable) -> None:
    """An undeletion is an insert; who did it is not known, who wrote the text is."""
    event = events_of(KINDS, wikis)[5]

    assert (event["page_change_kind"], event["changelog_kind"]) == ("undelete", "insert")
    assert "performer" not in event
    assert "prior_state" not in event
    assert event["revision"]["editor"]["user_text"] == "192.0.2.1"


def test_a_parent_that_is_gone_leaves_no_prior_state(wikis: WikiTable) -> None:
    """The event still names the parent that a deletion took away."""
    event = events_of(KINDS, wikis)[6]

    assert event["revision"]["rev_parent_id"] == 404
    assert "prior_state" not in event


def test_events_come_oldest_first_and_are_the_same_every_time(wikis: WikiTable) -> None:
    """Time orders them, then the file; ids are UUIDs that depend on nothing else than the change."""
    runs = [list(page_changes(SampleHistory.read([("fr.yaml", KINDS)], wikis), wikis)) for _ in range(2)]

    assert runs[0] == runs[1]
    assert [event["revision"]["rev_id"] for event in runs[0]] == [1, 2, 3, 4, 7, 5, 6]
    ids = {event["meta"][name] for event in runs[0] for name in ("id", "request_id")}
    assert len(ids) == 2 * len(runs[0])
    assert {uuid.UUID(value).version for value in ids} == {5}


def test_an_export_s_events_leave_out_what_it_does_not_tell(
    export: Path, tmp_path: Path, wikis: WikiTable
) -> None:
    """Accounts in an export have a name, an id and whether they are temporary, and no more."""
    history = ExportHistory(indexed_export(export, tmp_path, wikis))

    events = {event["revision"]["rev_id"]: event for event in page_changes(history, wikis)}
    history.close()

    assert list(events) == [100, 90, 101, 102]
    assert events[90]["performer"] == {
        "user_text": "~2026-10011-01",
        "is_temp": True,
        "wiki_id": "dewiki",
        "user_id": 9,
    }
    assert events[101]["performer"]["groups"] == ["*"]
    assert events[102]["revision"]["revert"]["rev_original_id"] == 100
    assert events[90]["page"]["namespace_is_content"] is False


@pytest.mark.parametrize("source", ["shipped", "kinds", "export"])
def test_every_event_is_valid_by_the_published_schema(
    source: str, export: Path, tmp_path: Path, wikis: WikiTable
) -> None:
    """Less the fields that 1.2.0 lacks, every event has its types, formats and required fields."""
    if not PUBLISHED.exists():
        pytest.skip(f"needs the published schema {PUBLISHED}")
    schema = yaml.safe_load(PUBLISHED.read_text("utf-8"))
    validator = Draft7Validator(schema, format_checker=FormatChecker())
    match source:
        case "shipped":
            events = list(page_changes(SampleHistory.shipped(wikis), wikis))
        case "kinds":
            events = list(events_of(KINDS, wikis).values())
        case _:
            with closing(ExportHistory(indexed_export(export, tmp_path, wikis))) as history:
                events = list(page_changes(history, wikis))

    for event in events:
        as_read = json.loads(json.dumps(event))
        problems = [error.message for error in validator.iter_errors(without_unknown(as_read, schema))]
        assert problems == []


def test_every_field_is_one_that_a_real_event_has(sample: str, wikis: WikiTable) -> None:
    """No event has a field that production's 1.12.0 events lack, but for the revert, which none of them was."""
    if not CAPTURE.exists():
        pytest.skip(f"needs the captured events {CAPTURE}")
    real = {path for line in CAPTURE.read_text("utf-8").splitlines() for path in paths(json.loads(line))}

    for event in [*events_of(sample, wikis).values(), *events_of(KINDS, wikis).values()]:
        event["revision"].pop("revert", None)
        assert paths(event) - real == set()


def test_events_are_written_as_json_lines(sample: str, wikis: WikiTable) -> None:
    """Each line is one event, up to the limit."""
    history = SampleHistory.read([("de.yaml", sample)], wikis)
    out = io.BytesIO()

    write_page_changes(history, wikis, out, limit=2)

    lines = out.getvalue().decode().splitlines()
    assert [json.loads(line) for line in lines] == list(page_changes(history, wikis))[:2]
