"""The page_change event that a revision would have had."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from revertrisk.backfill.events import page_change
from revertrisk.event_platform.page_change import PageChangeReader, RevisionRef
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from revertrisk.wiki.revision_facts import RevisionFacts, read_pages
from revertrisk.wiki.table import Wiki, WikiTable
from tests.fakes.revision_facts import ORDINARY_EDIT

UPSTREAM = Path(__file__).resolve().parents[4] / "shared/schemas_upstream/mediawiki/page/change/1.2.0.yaml"
ASKED_AT = datetime(2026, 11, 21, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def wikis() -> WikiTable:
    return WikiTable.load()


@pytest.fixture
def enwiki(wikis: WikiTable) -> Wiki:
    wiki = wikis.by_id("enwiki")
    assert wiki is not None
    return wiki


@pytest.fixture
def parent() -> RevisionFacts:
    return ORDINARY_EDIT._replace(
        title="An archism?",
        parent_id=0,
        is_minor=True,
        comment="begun",
        user_text="192.0.2.1",
        user_id=None,
    )


@pytest.fixture
def revision(parent: RevisionFacts) -> RevisionFacts:
    return parent._replace(
        rev_id=101, parent_id=100, sha1="1" * 31, user_text="Example", user_id=7, comment="went on"
    )


def test_it_is_what_the_server_reads(
    wikis: WikiTable, enwiki: Wiki, revision: RevisionFacts, parent: RevisionFacts
) -> None:
    """By the reading contract, and the revision and its parent are named."""
    contract = EventValidator(SchemaRepository().load("/reading/mediawiki/page/change/1"))
    reader = PageChangeReader(contract, wikis, max_revision_bytes=1000)
    change = reader.read(page_change(enwiki, revision, parent, ASKED_AT))
    ref = reader.resolve(change)
    assert isinstance(ref, RevisionRef)
    assert (ref.wiki, ref.rev_id, ref.parent_id, ref.page_id) == (enwiki, 101, 100, 12)


def test_it_is_a_page_change_event_by_the_published_schema(
    enwiki: Wiki, revision: RevisionFacts, parent: RevisionFacts
) -> None:
    """Of the version that it names."""
    if not UPSTREAM.exists():
        pytest.skip(f"needs the published schema {UPSTREAM}")
    validator = EventValidator(yaml.safe_load(UPSTREAM.read_bytes()))
    for event in (
        page_change(enwiki, revision, parent, ASKED_AT),
        page_change(enwiki, parent, None, ASKED_AT),
        page_change(enwiki, revision._replace(user_text=None, hidden_user=True), parent, ASKED_AT),
    ):
        assert UPSTREAM.stem in event["$schema"]
        assert validator.violations(event) == []


def test_facts_of_today_are_not_passed_off_as_those_of_then(
    enwiki: Wiki, revision: RevisionFacts, parent: RevisionFacts
) -> None:
    """Of an author only name, id and kind are told; no edit count, groups or registration."""
    event = page_change(enwiki, revision, parent, ASKED_AT)
    assert event["performer"] == event["revision"]["editor"]
    assert event["performer"] == {"user_text": "Example", "user_id": 7, "is_temp": False}
    assert event["prior_state"]["revision"]["editor"] == {"user_text": "192.0.2.1", "is_temp": False}


def test_it_names_no_request_and_no_event_of_the_past(
    enwiki: Wiki, revision: RevisionFacts, parent: RevisionFacts
) -> None:
    """Nobody knows them any more, and one that was made up would join with something else."""
    meta = page_change(enwiki, revision, parent, ASKED_AT)["meta"]
    assert meta == {
        "stream": "mediawiki.page_change.v1",
        "domain": "en.wikipedia.org",
        "uri": "https://en.wikipedia.org/wiki/An_archism%3F",
        "dt": "2026-11-21T08:00:00.000Z",
    }


def test_times_are_those_of_the_edit(enwiki: Wiki, revision: RevisionFacts, parent: RevisionFacts) -> None:
    """``dt`` is the revision's; only ``meta.dt`` is of today."""
    event = page_change(enwiki, revision, parent, ASKED_AT)
    assert event["dt"] == event["revision"]["rev_dt"] == "2006-01-01T00:00:00Z"


def test_a_first_revision_creates_and_any_other_edits(
    enwiki: Wiki, revision: RevisionFacts, parent: RevisionFacts
) -> None:
    """So the natural key is that of the live event."""
    created, edited = (page_change(enwiki, facts, None, ASKED_AT) for facts in (parent, revision))
    assert (created["page_change_kind"], created["changelog_kind"]) == ("create", "insert")
    assert (edited["page_change_kind"], edited["changelog_kind"]) == ("edit", "update")


def test_what_is_hidden_is_absent(enwiki: Wiki, parent: RevisionFacts) -> None:
    """Name, comment, hash and size, whatever else the answer says."""
    (facts,) = read_pages([{
        "pageid": 12, "ns": 0, "title": "Foo",
        "revisions": [{
            "revid": 101, "parentid": 100, "timestamp": "2006-01-01T00:00:00Z", "size": 5,
            "sha1hidden": True, "userhidden": True, "commenthidden": True,
            "slots": {"main": {"contentmodel": "wikitext"}},
        }],
    }])  # fmt: skip
    event = page_change(enwiki, facts, parent, ASKED_AT)
    assert "performer" not in event
    assert event["revision"].keys() & {"editor", "comment", "rev_sha1", "rev_size", "content_slots"} == set()
    visible = [event["revision"][f"is_{part}_visible"] for part in ("content", "editor", "comment")]
    assert visible == [False, False, False]
