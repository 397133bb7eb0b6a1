"""Revisions without their texts, as the Action API describes them."""

from typing import Any

import pytest

from revertrisk.wiki.revision_facts import RevisionFacts, read_pages
from revertrisk.wiki.user_kinds import UserKind


def page(*revisions: dict[str, Any], **facts: Any) -> dict[str, Any]:
    return {"pageid": 12, "ns": 0, "title": "Foo", "revisions": list(revisions), **facts}


def revision(rev_id: int = 101, **facts: Any) -> dict[str, Any]:
    told = {
        "revid": rev_id,
        "parentid": 100,
        "timestamp": "2006-01-01T00:00:00Z",
        "user": "Example",
        "userid": 7,
    }
    return told | facts


def read(**facts: Any) -> RevisionFacts:
    (found,) = read_pages([page(revision(**facts))])
    return found


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({}, UserKind.REGISTERED),
        ({"user": "192.0.2.1", "userid": 0, "anon": True}, UserKind.IP),
        ({"user": "~2026-12345", "temp": True}, UserKind.TEMPORARY),
        ({"userhidden": True}, UserKind.UNKNOWN),
        ({"user": "", "userid": 0}, UserKind.UNKNOWN),
    ],
)
def test_the_kind_of_an_author_is_told(facts: dict[str, Any], kind: UserKind) -> None:
    """Who is hidden is unknown, and nobody else."""
    assert read(**facts).user_kind is kind


def test_suppressed_without_more_hides_everything() -> None:
    """What exactly is hidden is not said to everybody."""
    facts = read(suppressed=True, comment="x", sha1="ab" * 20)
    assert (facts.hidden_text, facts.hidden_user, facts.hidden_comment) == (True, True, True)
    assert (facts.user_text, facts.user_id, facts.comment, facts.sha1) == (None, None, None, None)


def test_a_redirect_is_one_today_or_was_made_one() -> None:
    """A list of revisions does not tell what an old text was, but MediaWiki tags what makes a redirect."""
    (today,) = read_pages([page(revision(), redirect=True)])
    assert (today.is_redirect, today.is_or_was_redirect) == (True, True)
    then = read(tags=["mw-new-redirect"])
    assert (then.is_redirect, then.is_or_was_redirect) == (False, True)
    assert not read(tags=["mw-rollback"]).is_or_was_redirect


@pytest.mark.parametrize(
    "broken", [{"revid": "101"}, {"timestamp": "yesterday"}, {"tags": [1]}, {"sha1": "g"}]
)
def test_one_that_cannot_be_read_does_not_spoil_the_others(broken: dict[str, Any]) -> None:
    """It is left out, and so counts as missing."""
    assert [facts.rev_id for facts in read_pages([page(revision(**broken), revision(102))])] == [102]
