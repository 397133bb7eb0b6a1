"""The page_change event that a revision would have had."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from revertrisk.backfill.events import page_change
from revertrisk.event_platform.page_change import PageChangeReader, RevisionRef
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from revertrisk.wiki.history import sha1_base36
from revertrisk.wiki.revision_facts import RevisionFacts, read_pages
from revertrisk.wiki.table import WikiTable
from tests.fakes.revision_facts import ORDINARY_EDIT

UPSTREAM = Path(__file__).resolve().parents[4] / "shared/schemas_upstream/mediawiki/page/change/1.2.0.yaml"
ASKED_AT = datetime(2026, 11, 21, 8, tzinfo=UTC)


WIKIS = WikiTable.load()
PARENT = ORDINARY_EDIT._replace(
    title="An archism?", parent_id=0, is_minor=True, comment="begun", user_text="192.0.2.1", user_id=None
)
REVISION = PARENT._replace(
    rev_id=101,
    parent_id=100,
    sha1=hashlib.sha1(b"Foo").digest(),  # noqa: S324 - MediaWiki's choice
    user_text="Example",
    user_id=7,
    comment="went on",
)


def event_of(revision: RevisionFacts = REVISION, parent: RevisionFacts | None = PARENT) -> dict[str, Any]:
    """Return the event of a revision of the English Wikipedia."""
    wiki = WIKIS.by_id("enwiki")
    assert wiki is not None
    return page_change(wiki, revision, parent, ASKED_AT)


def test_it_is_what_the_server_reads() -> None:
    """By the reading contract, and the revision and its parent are named."""
    contract = EventValidator(SchemaRepository().load("/reading/mediawiki/page/change/1"))
    reader = PageChangeReader(contract, WIKIS, max_revision_bytes=1000)
    change = reader.read(event_of())
    ref = reader.resolve(change)
    assert isinstance(ref, RevisionRef)
    assert (ref.wiki.wiki_id, ref.rev_id, ref.parent_id, ref.page_id) == ("enwiki", 101, 100, 12)
    assert event_of()["revision"]["rev_sha1"] == sha1_base36("Foo")


def test_it_is_a_page_change_event_by_the_published_schema() -> None:
    """Of the version that it names."""
    if not UPSTREAM.exists():
        pytest.skip(f"needs the published schema {UPSTREAM}")
    validator = EventValidator(yaml.safe_load(UPSTREAM.read_bytes()))
    for event in (
        event_of(),
        event_of(PARENT, None),
        event_of(REVISION._replace(user_text=None, hidden_user=True)),
    ):
        assert UPSTREAM.stem in event["$schema"]
        assert validator.violations(event) == []


def test_facts_of_today_are_not_passed_off_as_those_of_then() -> None:
    """Of an author only name, id and kind are told; no edit count, groups or registration."""
    event = event_of()
    assert event["performer"] == event["revision"]["editor"]
    assert event["performer"] == {"user_text": "Example", "user_id": 7, "is_temp": False}
    assert event["prior_state"]["revision"]["editor"] == {"user_text": "192.0.2.1", "is_temp": False}


def test_it_names_no_request_and_no_event_of_the_past() -> None:
    """They are not known any more, and one that was made up would join with something else."""
    meta = event_of()["meta"]
    assert meta == {
        "stream": "mediawiki.page_change.v1",
        "domain": "en.wikipedia.org",
        "uri": "https://en.wikipedia.org/wiki/An_archism%3F",
        "dt": "2026-11-21T08:00:00.000Z",
    }


def test_times_are_those_of_the_edit() -> None:
    """``dt`` is the revision's; only ``meta.dt`` is of today."""
    event = event_of()
    assert event["dt"] == event["revision"]["rev_dt"] == "2006-01-01T00:00:00Z"


def test_a_first_revision_creates_and_any_other_edits() -> None:
    """So the natural key is that of the live event."""
    created, edited = (event_of(facts, None) for facts in (PARENT, REVISION))
    assert (created["page_change_kind"], created["changelog_kind"]) == ("create", "insert")
    assert (edited["page_change_kind"], edited["changelog_kind"]) == ("edit", "update")


def test_what_is_hidden_is_absent() -> None:
    """Name, comment, hash and size, whatever else the answer says."""
    (facts,) = read_pages([{
        "pageid": 12, "ns": 0, "title": "Foo",
        "revisions": [{
            "revid": 101, "parentid": 100, "timestamp": "2006-01-01T00:00:00Z", "size": 5,
            "sha1hidden": True, "userhidden": True, "commenthidden": True,
            "slots": {"main": {"contentmodel": "wikitext"}},
        }],
    }])  # fmt: skip
    event = event_of(facts)
    assert "performer" not in event
    assert event["revision"].keys() & {"editor", "comment", "rev_sha1", "rev_size", "content_slots"} == set()
    visible = [event["revision"][f"is_{part}_visible"] for part in ("content", "editor", "comment")]
    assert visible == [False, False, False]
