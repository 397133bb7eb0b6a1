"""What a page_change event says, and the first reason not to score its revision."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from revertrisk.event_platform.page_change import (
    Editor,
    InvalidPageChangeError,
    PageChange,
    PageChangeReader,
    RevisionRef,
    Skip,
    SkipReason,
    UnsupportedPageChangeError,
)
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from revertrisk.event_platform.streams import is_canary
from revertrisk.wiki.table import WikiTable

MAX_BYTES = 10_000
Event = dict[str, Any]


@pytest.fixture(scope="module")
def reader() -> PageChangeReader:
    contract = EventValidator(SchemaRepository().load("/reading/mediawiki/page/change/1"))
    return PageChangeReader(contract, WikiTable.load(), max_revision_bytes=MAX_BYTES)


def edit(**changes: Any) -> Event:
    """Return an edit event with some fields replaced (``revision__rev_size=3``) or, where None, removed."""
    event: Event = {
        "$schema": "/mediawiki/page/change/1.2.0",
        "meta": {
            "stream": "mediawiki.page_change.v1",
            "domain": "de.wikipedia.org",
            "request_id": "3c1f",
            "dt": "2026-10-01T12:00:05Z",
        },
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "dt": "2026-10-01T12:00:00Z",
        "wiki_id": "dewiki",
        "page": {"page_id": 7, "page_title": "Apfel", "namespace_id": 0, "is_redirect": False},
        "performer": {"user_text": "Eva", "user_id": 3},
        "revision": {
            "rev_id": 102,
            "rev_parent_id": 101,
            "rev_dt": "2026-10-01T12:00:00Z",
            "rev_sha1": "bbb",
            "rev_size": 200,
            "is_content_visible": True,
            "editor": {"user_text": "Eva", "user_id": 3, "edit_count": 12, "groups": ["*", "user"]},
            "content_slots": {"main": {"content_model": "wikitext"}},
        },
        "prior_state": {"revision": {"rev_id": 101, "rev_sha1": "aaa", "is_content_visible": True}},
    }
    for path, value in changes.items():
        *parents, name = path.split("__")
        target = event
        for parent in parents:
            target = target.setdefault(parent, {})
        if value is None:
            target.pop(name, None)
        else:
            target[name] = value
    return event


@pytest.mark.parametrize(
    "schema",
    [
        "/mediawiki/page/change/1",
        "/mediawiki/page/change/1.0.0",
        "/mediawiki/page/change/1.12.0",
        "/mediawiki/page/change/1.999.7",
    ],
)
def test_any_schema_of_major_version_1_is_read(reader: PageChangeReader, schema: str) -> None:
    """E21: the minor version may be new, or left out."""
    assert reader.read(edit(**{"$schema": schema})).rev_id == 102


@pytest.mark.parametrize(
    "schema",
    [
        "/mediawiki/page/change/2.0.0",
        "/mediawiki/page/change/10.0.0",
        "/mediawiki/page/change/1.0",
        "mediawiki/page/change/1.0.0",
        "/mediawiki/recentchange/1.0.0",
        "",
    ],
)
def test_another_schema_is_refused(reader: PageChangeReader, schema: str) -> None:
    """E21: another major version, another title, or a URI without its leading slash is not read."""
    with pytest.raises(UnsupportedPageChangeError, match="/\\$schema must be"):
        reader.read(edit(**{"$schema": schema}))


def test_all_violations_are_listed_where_they_are(reader: PageChangeReader) -> None:
    """An event with several faults names each, a missing field at the pointer it should have."""
    with pytest.raises(InvalidPageChangeError) as caught:
        reader.read(edit(wiki_id=None, revision__rev_id="7", page__page_title=None, dt="yesterday"))
    assert {found.pointer for found in caught.value.violations} == {
        "/wiki_id",
        "/revision/rev_id",
        "/page/page_title",
        "/dt",
    }


def test_an_edit_names_its_revision_and_parent(reader: PageChangeReader) -> None:
    """An ordinary edit is resolved without asking anybody."""
    ref = reader.resolve(reader.read(edit()))
    assert isinstance(ref, RevisionRef)
    assert (ref.wiki.wiki_id, ref.rev_id, ref.parent_id, ref.page_id) == ("dewiki", 102, 101, 7)


def test_an_edit_without_parent_id_leaves_it_to_the_api(reader: PageChangeReader) -> None:
    """``rev_parent_id`` absent on an edit is unknown, not a creation."""
    ref = reader.resolve(reader.read(edit(revision__rev_parent_id=None)))
    assert isinstance(ref, RevisionRef)
    assert ref.parent_id is None


SKIPS: list[tuple[SkipReason, Event]] = [
    (SkipReason.UNKNOWN_WIKI, edit(wiki_id="atlantiswiki")),
    (SkipReason.UNKNOWN_WIKI, edit(meta__domain="de-neu.wikipedia.org")),
    (SkipReason.NOT_WIKIPEDIA, edit(wiki_id="commonswiki", meta__domain="commons.wikimedia.org")),
    (SkipReason.NOT_WIKIPEDIA, edit(wiki_id="aawiki", meta__domain="aa.wikipedia.org")),
    (SkipReason.PAGE_CHANGE_KIND, edit(page_change_kind="delete", changelog_kind="delete")),
    (SkipReason.PAGE_CHANGE_KIND, edit(page_change_kind="visibility_change")),
    (SkipReason.PAGE_CHANGE_KIND, edit(page_change_kind="merge_of_the_future")),
    (SkipReason.NAMESPACE, edit(page__namespace_id=1)),
    (SkipReason.REDIRECT, edit(page__is_redirect=True)),
    (SkipReason.REVISION_HIDDEN, edit(revision__is_content_visible=False)),
    (SkipReason.NO_PARENT, edit(page_change_kind="create", revision__rev_parent_id=0)),
    (SkipReason.NO_PARENT, edit(page_change_kind="create", revision__rev_parent_id=None)),
    (SkipReason.NO_PARENT, edit(revision__rev_parent_id=0)),
    (SkipReason.PARENT_HIDDEN, edit(prior_state__revision__is_content_visible=False)),
    (SkipReason.NULL_EDIT, edit(revision__rev_sha1="aaa")),
    (SkipReason.NULL_EDIT, edit(revision__rev_sha1="aaa", page_change_kind="move")),
    (SkipReason.CONTENT_MODEL, edit(revision__content_slots={"main": {"content_model": "json"}})),
    (SkipReason.TOO_LARGE, edit(revision__rev_size=MAX_BYTES + 1)),
    (SkipReason.TOO_LARGE, edit(prior_state__revision__rev_size=MAX_BYTES + 1)),
]


@pytest.mark.parametrize(("reason", "event"), SKIPS, ids=lambda case: case if isinstance(case, str) else "")
def test_what_the_event_can_decide_is_skipped(
    reader: PageChangeReader, reason: SkipReason, event: Event
) -> None:
    """Each reason that an event shows by itself costs no request."""
    assert reader.resolve(reader.read(event)) == Skip(reason)


ORDER = [
    ("wiki_id", "atlantiswiki", SkipReason.UNKNOWN_WIKI),
    ("page_change_kind", "delete", SkipReason.PAGE_CHANGE_KIND),
    ("page__namespace_id", 2, SkipReason.NAMESPACE),
    ("page__is_redirect", True, SkipReason.REDIRECT),
    ("revision__is_content_visible", False, SkipReason.REVISION_HIDDEN),
    ("revision__rev_sha1", "aaa", SkipReason.NULL_EDIT),
    ("revision__content_slots", {"main": {"content_model": "json"}}, SkipReason.CONTENT_MODEL),
    ("revision__rev_size", MAX_BYTES + 1, SkipReason.TOO_LARGE),
]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_the_first_reason_in_the_order_of_the_checks_wins(reader: PageChangeReader, first: int) -> None:
    """With several reasons at once, the answer does not depend on chance."""
    event = edit(**{path: value for path, value, _ in ORDER[first:]})
    assert reader.resolve(reader.read(event)) == Skip(ORDER[first][2])


@pytest.mark.parametrize("sha1", ["", None], ids=["empty", "missing"])
def test_h6_a_hash_that_is_not_known_makes_no_null_edit(reader: PageChangeReader, sha1: str | None) -> None:
    """H6: the same nothing on both sides is not the same text."""
    event = edit(revision__rev_sha1=sha1, prior_state__revision__rev_sha1=sha1)
    assert isinstance(reader.resolve(reader.read(event)), RevisionRef)


def test_prior_state_of_another_revision_decides_nothing(reader: PageChangeReader) -> None:
    """A prior state that is not the parent says nothing about a null edit."""
    event = edit(revision__rev_sha1="aaa", prior_state__revision__rev_id=99)
    assert isinstance(reader.resolve(reader.read(event)), RevisionRef)


def test_a_domain_of_another_wiki_is_refused(reader: PageChangeReader) -> None:
    """E27: a wiki_id and a domain that disagree are somebody's mistake, or worse."""
    with pytest.raises(InvalidPageChangeError, match="/meta/domain"):
        reader.resolve(reader.read(edit(meta__domain="de.wikipedia.org.evil.example")))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"meta": {"domain": "canary"}}, True),
        ({"meta": {"domain": "en.wikipedia.org"}}, False),
        ({"meta": None}, False),
        ({}, False),
    ],
)
def test_canaries_are_known_by_their_domain(event: Event, *, expected: bool) -> None:
    """E25: whatever else a canary looks like, its domain says what it is."""
    assert is_canary(event) is expected


def _performer_only(event: Event) -> Event:
    event = copy.deepcopy(event)
    del event["revision"]["editor"]
    return event


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (edit, Editor("Eva", 3, 12, ("*", "user"))),
        (lambda: _performer_only(edit()), Editor("Eva", 3)),
        (lambda: _performer_only(edit(page_change_kind="undelete")), None),
        (lambda: edit(revision__is_editor_visible=False), None),
    ],
    ids=["editor", "performer of an edit", "performer of an undelete is the admin", "hidden"],
)
def test_the_editor_is_never_guessed(change: Callable[[], Event], expected: Editor | None) -> None:
    """E13, E19: user facts come from revision.editor; the performer stands in only where it is the same person."""
    assert PageChange.of(change()).editor == expected


def test_freshness_is_told_by_meta_dt(reader: PageChangeReader) -> None:
    """E41: ``dt`` may lie weeks back, so only ``meta.dt`` says when the event was made."""
    change = reader.read(edit(dt="2020-01-01T00:00:00Z"))
    assert change.received_at == datetime(2026, 10, 1, 12, 0, 5, tzinfo=UTC)
