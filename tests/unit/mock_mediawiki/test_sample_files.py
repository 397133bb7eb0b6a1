"""Reading sample files, strictly."""

import pytest

from mock_mediawiki.sample_format import SampleError
from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.history import ChangeKind, Part, RevertMethod, SampleLabel, StoredRevision
from revertrisk.wiki.table import WikiTable
from revertrisk.wiki.user_kinds import UserKind

TEMPORARY = "~2026-10011-01"
EVERYTHING = """\
wiki_id: dewiki
users:
  Ada: {kind: registered, user_id: 7, edit_count: 900, registered: 2019-01-01T00:00:00+01:00, groups: [editor]}
pages:
  - page_id: 10
    title: Diskussion:Neuer Titel
    namespace_id: 1
    content_model: json
    revisions:
      - {rev_id: 1, timestamp: 2026-01-01T00:00:00Z, user: Ada, background: true, text: "[1]"}
      - rev_id: 2
        timestamp: 2026-01-02T00:00:00Z
        user: "2001:db8::7"
        kind: edit
        label: borderline
        tags: [mw-undo]
        revert_method: rollback
        hidden: [text, suppressed]
        edit: []
      - rev_id: 3
        timestamp: 2026-01-03T00:00:00Z
        user: Ada
        kind: move
        moved_from: Diskussion:Alter Titel
      - {rev_id: 4, timestamp: 2026-01-04T00:00:00Z, text: "[2]", parent: 999, label: good, redirect: true}
      - {rev_id: 5, timestamp: 2026-01-05T00:00:00Z, kind: undelete, edit: [{find: "2", put: "22"}]}
"""


def read(content: str) -> SampleHistory:
    """Return the history of one file."""
    return SampleHistory.read([("de.yaml", content)], WikiTable.load())


def revision(history: SampleHistory, rev_id: int) -> StoredRevision:
    """Return a revision of dewiki."""
    found = history.revision("dewiki", rev_id)
    assert found is not None
    return found


def test_every_field_of_the_format_is_understood() -> None:
    """Kinds, parents, hidden parts, labels, hints, models and former titles arrive in the history."""
    history = read(EVERYTHING)

    first, hidden, move, orphan, restored = (revision(history, number) for number in range(1, 6))
    assert [change.rev_id for change in history.changes()] == [2, 3, 4, 5]
    assert (first.kind, first.parent_id, first.namespace_id) == (ChangeKind.CREATE, 0, 1)
    assert (first.content_model, first.content_format) == ("json", "application/json")
    assert hidden.hidden == {Part.TEXT}
    assert hidden.is_suppressed
    assert (hidden.label, hidden.revert_method, hidden.tags) == (
        SampleLabel.BORDERLINE,
        RevertMethod.ROLLBACK,
        ("mw-undo",),
    )
    assert hidden.user is not None
    assert (hidden.user.kind, hidden.user.groups) == (UserKind.IP, ("*",))
    assert hidden.sha1 == first.sha1
    assert history.text(hidden) == "[1]"
    assert (move.kind, move.moved_from, history.text(move)) == (
        ChangeKind.MOVE,
        "Diskussion:Alter Titel",
        "[1]",
    )
    assert [item.page_title.rpartition(":")[2] for item in (first, hidden, move, orphan)] == [
        "Alter Titel",
        "Alter Titel",
        "Neuer Titel",
        "Neuer Titel",
    ]
    assert (orphan.parent_id, orphan.user, orphan.is_redirect) == (999, None, True)
    assert (restored.kind, restored.parent_id, history.text(restored)) == (ChangeKind.UNDELETE, 4, "[22]")


def test_groups_are_those_of_the_moment(sample: str) -> None:
    """MediaWiki's implicit groups follow from kind, age and edit count; an edit may tell its own count."""
    history = read(sample)

    users = [
        revision(history, 102).user,
        *(history.user("dewiki", name) for name in ("Neu", TEMPORARY, "Ada")),
    ]
    assert [user and (user.edit_count, user.groups) for user in users] == [
        (3, ("*", "user")),
        (12, ("*", "user")),  # an account of two days
        (1, ("*", "temp")),
        (900, ("editor", "bot", "*", "user", "autoconfirmed")),
    ]
    assert users[3] is not None
    assert users[3].registered == "2019-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("wiki_id: dewiki", "wiki_id: nowhere", "wiki_id: is not in the wiki table"),
        ("wiki_id: dewiki\n", "", "wiki_id: Field required"),
        ("pages:", "pagess:", "pages: Field required; pagess: Extra inputs"),
        ("user: Neu", "user: Jemand", "page 10, revision 102, user: is neither in users nor an IP address"),
        ("kind: registered", "kind: ip", "users, Ada, kind: must be registered or temporary"),
        ("user_id: 7", "user_id: 0", "users, Ada, user_id: Input should be greater"),
        ("label: bad", "label: awful", "page 10, revision 101, label: Input should be 'good', 'bad' or"),
        ("        label: bad\n", "", "page 10: revision 101, label: is missing"),
        ("rev_id: 101", "rev_id: '101'", "page 10, revision 101, rev_id: Input should be a valid integer"),
        ("rev_id: 101", "rev_id: 100", "page 10, revision 100, rev_id: occurs twice"),
        ("T11:00:00Z", "T11:00:00", "page 10, revision 101, timestamp: must end in Z"),
        ("minor: true", "minor: 1", "page 10, revision 102, minor: Input should be a valid boolean"),
        ("minor: true", "colour: red", "page 10, revision 102, colour: Extra inputs are not permitted"),
        ("text: Ein Apfelbaum.\n", "parent: 7\n        edit: []\n", "102, edit: there is no parent text"),
        ("find: Apfelbaum", "find: B", "101, edit, replacement 1, find: occurs 0 times, must occur once"),
        ("find: Ein", "find: n", "revision 101, edit, replacement 2, find: occurs 2 times, must occur once"),
        ("comment: zurück", "edit: []", "page 10, revision 102: text, edit: give one of them"),
        ("comment: zurück", "kind: move", "page 10, revision 102: moved_from: is missing for a move"),
        ("comment: zurück", "moved_from: X", "page 10, revision 102: moved_from: is for moves only"),
        ("comment: zurück", "kind: move\n        moved_from: X", "102: text, edit: a move keeps its"),
        ("title: Apfelbaum im", "title: Apfelbaum_im", "page 10, title: String should match"),
        ("comment: zurück", "comment: a\n        comment: b", "line 17: a key occurs twice"),
        ("pages:", "\tpages", "line 6: found character that cannot start any token"),
    ],
)
def test_what_is_not_as_described_is_refused(sample: str, old: str, new: str, problem: str) -> None:
    """An error names the file, the page, the revision and the field."""
    assert old in sample

    with pytest.raises(SampleError, match=rf"^de\.yaml.*{problem}"):
        read(sample.replace(old, new, 1))


def test_a_page_that_is_there_twice_is_refused(sample: str) -> None:
    """Two files may tell of one wiki, but not of the same page."""
    with pytest.raises(SampleError, match=r"^b\.yaml: page 10: its id or title occurs twice"):
        SampleHistory.read([("a.yaml", sample), ("b.yaml", sample)], WikiTable.load())
