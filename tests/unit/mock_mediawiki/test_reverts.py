"""Which edits restore an earlier text, and how."""

import pytest

from mock_mediawiki.reverts import find_revert
from revertrisk.wiki.history import ChangeKind, EarlierText, Part, RevertMethod, StoredRevision, is_redirect


def edit(
    sha1: str | None,
    *,
    comment: str | None = "",
    tags: tuple[str, ...] = (),
    hint: RevertMethod | None = None,
    kind: ChangeKind = ChangeKind.EDIT,
    hidden: frozenset[Part] = frozenset(),
) -> StoredRevision:
    """Return an edit that leaves a text with this hash."""
    return StoredRevision(
        wiki_id="enwiki",
        page_id=1,
        page_title="A",
        namespace_id=0,
        rev_id=100,
        parent_id=99,
        position=100,
        timestamp="2026-01-01T00:00:00Z",
        user=None,
        comment=comment,
        is_minor=False,
        size=1,
        sha1=sha1,
        content_model="wikitext",
        content_format="text/x-wiki",
        is_redirect=False,
        hidden=hidden,
        tags=tags,
        kind=kind,
        revert_method=hint,
    )


def past(*hashes: str | None) -> list[EarlierText]:
    """Return earlier revisions, newest first, numbered downwards from 99."""
    return [EarlierText(99 - number, f"t{number}", sha1) for number, sha1 in enumerate(hashes)]


def test_a_revert_spans_everything_after_what_it_restores() -> None:
    """The newest equal text counts; both ends of what was reverted are told."""
    revert = find_revert(edit("good"), past("bad", "worse", "good", "older", "good"))

    assert revert is not None
    assert revert.original.rev_id == 97
    assert (revert.oldest_reverted.rev_id, revert.newest_reverted.rev_id) == (98, 99)


@pytest.mark.parametrize(
    ("revision", "earlier"),
    [
        (edit("good"), past("bad", "worse")),
        (edit("good"), past("good", "bad", "good")),
        (edit("good"), []),
        (edit(None), past("bad", None)),
        (edit("good", hidden=frozenset({Part.TEXT})), past("bad", "good")),
        (edit("good"), past("bad", None)),
        (edit("good", kind=ChangeKind.MOVE), past("bad", "good")),
    ],
    ids=["new text", "null edit", "no past", "lost text", "hidden text", "hidden original", "move"],
)
def test_what_restores_nothing_is_no_revert(revision: StoredRevision, earlier: list[EarlierText]) -> None:
    """Null edits, hidden texts and anything but edits revert nothing."""
    assert find_revert(revision, earlier) is None


@pytest.mark.parametrize(
    ("revision", "method"),
    [
        (edit("good"), RevertMethod.MANUAL),
        (edit("good", comment=None), RevertMethod.MANUAL),
        (edit("good", tags=("visualeditor", "mw-undo")), RevertMethod.UNDO),
        (edit("good", tags=("mw-rollback",)), RevertMethod.ROLLBACK),
        (edit("good", comment="Undid revision 99 by [[Special:Contributions/A|A]]"), RevertMethod.UNDO),
        (edit("good", comment="Reverted edits by [[User:A|A]] to last version by B"), RevertMethod.ROLLBACK),
        (edit("good", comment="Reverted 2 edits by A to last revision by B"), RevertMethod.ROLLBACK),
        (edit("good", comment="Reverted to the version of Tuesday"), RevertMethod.MANUAL),
        (edit("good", tags=("mw-rollback",), hint=RevertMethod.MANUAL), RevertMethod.MANUAL),
    ],
)
def test_the_method_is_what_hint_tag_or_comment_say(revision: StoredRevision, method: RevertMethod) -> None:
    """A sample's hint comes first, then MediaWiki's tags, then its standard comments."""
    revert = find_revert(revision, past("bad", "good"))

    assert revert is not None
    assert revert.method is method


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#REDIRECT [[A]]", True),
        ("\n #redirect: [[A]]", True),
        ("#WEITERLEITUNG [[A]]", True),
        ("#перенаправление[[Река]]", True),
        ("#重定向 [[甲]]", True),
        ("# a list with [[a link]]", False),
        ("See #REDIRECT [[A]]", False),
        ("#REDIRECT A", False),
        ("", False),
    ],
)
def test_redirects_are_recognised_by_their_first_word(text: str, *, expected: bool) -> None:
    """A redirect begins with the word for it, in English or the wiki's language, and a link."""
    assert is_redirect(text) is expected
