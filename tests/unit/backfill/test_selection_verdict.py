"""Which revisions are sent, and why the others are not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from revertrisk import dispatcher
from revertrisk.backfill.lookup import Found
from revertrisk.backfill.selection_verdict import Filters, SelectionJudge
from revertrisk.dispatcher.rule_language.rule_file import load_rules
from revertrisk.wiki.revision_facts import RevisionFacts
from revertrisk.wiki.table import WikiTable
from revertrisk.wiki.user_kinds import UserKind
from tests.fakes.revision_facts import ORDINARY_EDIT

RULE = Path(dispatcher.__file__).parent / "rules" / "revertrisk-multilingual.yaml"
WIKIS = WikiTable.load()
PARENT = ORDINARY_EDIT
REVISION = PARENT._replace(rev_id=101, parent_id=100, sha1=b"1" * 20)


def judged(
    revision: RevisionFacts | None,
    parent: RevisionFacts | None = PARENT,
    wiki_id: str = "enwiki",
    **filters: Any,
) -> str | None:
    (rule,) = load_rules(RULE, target="http://localhost")
    judge = SelectionJudge(WIKIS, Filters(**filters), rule, max_revision_bytes=1000)
    wiki = WIKIS.by_id(wiki_id)
    assert wiki is not None
    verdict = judge.judge(wiki, Found(101, revision, parent), datetime.now(UTC))
    assert (verdict.event is None) == (verdict.reason is not None)
    return verdict.reason


@pytest.mark.parametrize(
    ("revision", "parent", "reason"),
    [
        (REVISION, PARENT, None),
        (None, None, "skipped:revision_missing"),
        (REVISION._replace(is_redirect=True), PARENT, "skipped:redirect"),
        (REVISION._replace(hidden_text=True), PARENT, "skipped:revision_hidden"),
        (REVISION._replace(parent_id=0), None, "skipped:no_parent"),
        (REVISION, None, "skipped:parent_missing"),
        (REVISION, PARENT._replace(page_id=13), "skipped:parent_missing"),
        (REVISION, PARENT._replace(hidden_text=True), "skipped:parent_hidden"),
        (REVISION, PARENT._replace(sha1=REVISION.sha1), "skipped:null_edit"),
        (REVISION._replace(content_model="json"), PARENT, "skipped:content_model"),
        (REVISION, PARENT._replace(content_model="json"), "skipped:content_model"),
        (REVISION._replace(size=1001), PARENT, "skipped:too_large"),
        (REVISION, PARENT._replace(size=1001), "skipped:too_large"),
    ],
)
def test_what_cannot_be_scored_is_not_sent(
    revision: RevisionFacts | None, parent: RevisionFacts | None, reason: str | None
) -> None:
    """For the server's reasons, in its words."""
    assert judged(revision, parent) == reason


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ({"since": datetime(2006, 1, 1, 0, 0, 1, tzinfo=UTC)}, "left_out:time"),
        ({"until": datetime(2005, 12, 31, tzinfo=UTC)}, "left_out:time"),
        ({"since": datetime(2006, 1, 1, tzinfo=UTC), "until": datetime(2006, 1, 1, tzinfo=UTC)}, None),
        ({"namespaces": (1, 4)}, "left_out:namespace"),
        ({"user_kinds": (UserKind.IP, UserKind.TEMPORARY)}, "left_out:user_kind"),
        ({"user_kinds": (UserKind.REGISTERED,)}, None),
    ],
)
def test_what_the_command_leaves_out_is_not_sent(filters: dict[str, Any], reason: str | None) -> None:
    """And counts by the flag that leaves it out; both ends of a time belong to it."""
    assert judged(REVISION, **filters) == reason


def test_what_makes_no_event_is_not_sent() -> None:
    """One odd revision does not stop the others, and is not lost among them either."""
    assert judged(REVISION._replace(title="")) == "invalid_event"


def test_what_no_rule_takes_is_not_sent() -> None:
    """The field is named, as the dispatcher names it."""
    assert judged(REVISION, wiki_id="cywiki") == "unmatched:wiki_id"


@pytest.mark.parametrize(("days", "taken"), [(4, False), (5, True), (10, True), (11, False)])
def test_a_page_is_as_old_as_it_was_then(days: int, *, taken: bool) -> None:
    """Not as old as it is today."""
    filters = Filters(page_age_from=timedelta(days=5), page_age_to=timedelta(days=10))
    changed_at = datetime(2006, 1, 20, tzinfo=UTC)
    assert filters.takes_age(changed_at, changed_at - timedelta(days=days)) is taken
