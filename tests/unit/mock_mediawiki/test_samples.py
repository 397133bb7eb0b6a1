"""The shipped sample pages: enough of them, lifelike, and not to be told apart by one glance."""

import re
from collections import Counter
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.history import ChangeKind, Part, RevisionRange, SampleLabel, StoredPage, StoredRevision
from revertrisk.wiki.table import WikiTable
from revertrisk.wiki.user_kinds import UserKind

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENTATION = [
    ip_network(block) for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9A-F]{1,4}(?::[0-9A-F]{1,4}){7}\b", re.IGNORECASE)
TEMPORARY = re.compile(r"~2026-\d{5}-\d{2}")
BEGINNING, END = ("", 0), ("9999", 2**63)

SPECIALS = {
    "hidden text": ("enwiki", 1370400019),
    "hidden user": ("ptwiki", 71858420),
    "hidden comment": ("ruwiki", 154700915),
    "creation": ("enwiki", 1369001177),
    "move": ("enwiki", 1369130555),
    "protection": ("dewiki", 270142688),
    "redirect": ("enwiki", 1368999312),
    "talk page": ("enwiki", 1368352046),
    "JSON": ("testwiki", 691850),
    "bot": ("enwiki", 1369502288),
    "blanking": ("be_x_oldwiki", 2689906),
    "after a blanking": ("be_x_oldwiki", 2689911),
    "undeletion": ("ptwiki", 71844019),
}


@pytest.fixture(scope="module")
def wikis() -> WikiTable:
    """Return the shipped wiki table."""
    return WikiTable.load()


@pytest.fixture(scope="module")
def history(wikis: WikiTable) -> SampleHistory:
    """Return what the shipped sample files tell."""
    return SampleHistory.shipped(wikis)


@pytest.fixture(scope="module")
def edits(history: SampleHistory) -> list[StoredRevision]:
    """Return every revision that becomes an event."""
    return list(history.changes())


@pytest.fixture(scope="module")
def pages(history: SampleHistory, edits: list[StoredRevision]) -> list[StoredPage]:
    """Return every page that an event is about."""
    keys = dict.fromkeys((edit.wiki_id, edit.page_id) for edit in edits)
    return [page for key in keys if (page := history.page(*key))]


def past(history: SampleHistory, page: StoredPage) -> list[StoredRevision]:
    """Return every revision of a page, background included, oldest first."""
    return list(history.page_revisions(page, RevisionRange(True, BEGINNING, END), 1000))


def special(history: SampleHistory, name: str) -> StoredRevision:
    """Return one of the special cases."""
    revision = history.revision(*SPECIALS[name])
    assert revision is not None
    return revision


def parent(history: SampleHistory, revision: StoredRevision) -> StoredRevision:
    """Return the revision that another one was made on."""
    found = history.revision(revision.wiki_id, revision.parent_id)
    assert found is not None
    return found


def is_registered(edit: StoredRevision) -> bool:
    """Return whether the author is neither an IP address nor a temporary account."""
    return edit.user is None or edit.user.kind is UserKind.REGISTERED


def test_many_wikis_and_languages(edits: list[StoredRevision], wikis: WikiTable) -> None:
    """There are at least 14 open wikis in 13 languages, those with unusual names among them."""
    present = {edit.wiki_id for edit in edits}
    found = [wiki for wiki_id in present if (wiki := wikis.by_id(wiki_id))]
    assert len(found) == len(present) >= 14
    assert all(wiki.is_scorable for wiki in found)
    assert len({wiki.language for wiki in found}) >= 13
    assert present >= {"enwiki", "be_x_oldwiki", "zh_yuewiki", "simplewiki", "testwiki", "arwiki", "jawiki"}


def test_labels(edits: list[StoredRevision]) -> None:
    """At least 70 edits, all labelled, and neither registration, kind of author nor experience tells the label."""
    labels = Counter(edit.label for edit in edits)
    assert sum(labels.values()) >= 70
    assert None not in labels
    assert labels[SampleLabel.BORDERLINE] >= 12
    assert min(labels[SampleLabel.GOOD], labels[SampleLabel.BAD]) >= 25
    registered = Counter((is_registered(edit), edit.label) for edit in edits)
    assert registered[True, SampleLabel.BAD] >= labels[SampleLabel.BAD] / 4
    assert registered[False, SampleLabel.GOOD] >= labels[SampleLabel.GOOD] / 4
    kinds = Counter((e.user.kind, e.label) for e in edits if e.user)
    for kind in (UserKind.IP, UserKind.TEMPORARY):
        assert min(kinds[kind, SampleLabel.GOOD], kinds[kind, SampleLabel.BAD]) >= 5
    by_kind = Counter(e.user.kind for e in edits if e.user)
    assert by_kind[UserKind.TEMPORARY] > 2 * by_kind[UserKind.IP]
    counts = [(e.label, e.user.edit_count or 0) for e in edits if e.user and is_registered(e)]
    assert sum(label is SampleLabel.BAD and count >= 200 for label, count in counts) >= 8
    assert sum(label is SampleLabel.GOOD and count < 20 for label, count in counts) >= 5


@pytest.mark.parametrize("glance", ["growth", "size of change", "empty comment", "mobile", "length of page"])
def test_no_glance_tells_good_from_bad(
    history: SampleHistory, edits: list[StoredRevision], glance: str
) -> None:
    """No simple measure of an edit ranks the bad ones well: its AUC stays below 0.8 either way."""

    def growth(edit: StoredRevision) -> int:
        return (edit.size or 0) - ((parent(history, edit).size or 0) if edit.parent_id else 0)

    measures: dict[str, Callable[[StoredRevision], float]] = {
        "growth": growth,
        "size of change": lambda edit: abs(growth(edit)),
        "empty comment": lambda edit: not edit.comment,
        "mobile": lambda edit: "mobile edit" in edit.tags,
        "length of page": lambda edit: edit.size or 0,
    }
    good, bad = (
        [float(measures[glance](edit)) for edit in edits if edit.label is label]
        for label in (SampleLabel.GOOD, SampleLabel.BAD)
    )
    pairs = [(b > g) + (b == g) / 2 for g in good for b in bad]
    assert 0.2 < sum(pairs) / len(pairs) < 0.8


def test_pages_have_a_past_and_a_realistic_length(
    history: SampleHistory, edits: list[StoredRevision], pages: list[StoredPage]
) -> None:
    """Every page begins before its first event unless its creation is one; two are longer than 12 kB."""
    emitted = {(edit.wiki_id, edit.rev_id) for edit in edits}
    for page in pages:
        first = past(history, page)[0]
        assert first.parent_id == 0
        is_event = (first.wiki_id, first.rev_id) in emitted
        assert is_event == (first.kind is ChangeKind.CREATE and first.rev_id == SPECIALS["creation"][1])
    sizes = [size for edit in edits if edit.parent_id and (size := parent(history, edit).size) is not None]
    assert sum(size >= 1400 for size in sizes) > 0.85 * len(sizes)
    assert sum(any((r.size or 0) >= 12_000 for r in past(history, page)) for page in pages) >= 2


def test_revisions_follow_one_another(
    history: SampleHistory, edits: list[StoredRevision], pages: list[StoredPage]
) -> None:
    """Within a wiki rev_ids grow with time; edits are of August to October 2026, but for the walk-through's."""
    by_wiki: dict[str, list[tuple[str, int]]] = {}
    for page in pages:
        revisions = past(history, page)
        by_wiki.setdefault(page.wiki_id, []).extend((r.timestamp, r.rev_id) for r in revisions)
        assert [r.parent_id for r in revisions] == [0, *(r.rev_id for r in revisions[:-1])]
    for moments in by_wiki.values():
        in_time = [rev_id for _, rev_id in sorted(moments)]
        assert in_time == sorted(set(in_time))
        assert max(in_time) < 2**31
    others = [edit.rev_id for edit in edits if not "2026-08-01" <= edit.timestamp < "2026-11-01"]
    assert sorted(others) == [456789, 123456789]


def test_authors_belong_to_nobody(edits: list[StoredRevision]) -> None:
    """IP addresses, in comments too, are from the documentation ranges; temporary names are of 2026."""
    addresses = [a for edit in edits for a in ADDRESS.findall(edit.comment or "")]
    for edit in edits:
        assert edit.user is not None
        if edit.user.kind is UserKind.IP:
            addresses.append(edit.user.name)
        elif edit.user.kind is UserKind.TEMPORARY:
            assert TEMPORARY.fullmatch(edit.user.name)
            assert "temp" in (edit.user.groups or ())
    assert addresses
    for address in addresses:
        assert any(ip_address(address) in block for block in DOCUMENTATION)


def test_accounts_are_plausible(history: SampleHistory, pages: list[StoredPage]) -> None:
    """No account edits before registering, and edit counts grow with time, up to today's."""
    counts: dict[tuple[str, str], int] = {}
    revisions = [revision for page in pages for revision in past(history, page)]
    for revision in sorted(revisions, key=lambda revision: revision.timestamp):
        user = revision.user
        assert user is not None
        if user.kind is not UserKind.IP:
            today = history.user(revision.wiki_id, user.name)
            assert today is not None
            assert "" < (user.registered or "") <= revision.timestamp
            key = (revision.wiki_id, user.name)
            assert counts.get(key, -1) < (user.edit_count or 0) <= (today.edit_count or 0)
            counts[key] = user.edit_count or 0


@pytest.mark.parametrize(
    ("rev_id", "parent_id", "facts"),
    [
        (456789, 456788, (123, "Foo", 0, "2025-01-01T00:00:00Z", "Example", 205)),
        (123456789, 123450233, (12345, "Test Article", 0, "2026-02-19T12:00:00Z", "TestUser", 98765)),
    ],
)
def test_the_walk_through_has_its_pages(
    history: SampleHistory, rev_id: int, parent_id: int, facts: tuple[int | str, ...]
) -> None:
    """The two enwiki revisions that users know are there, each with its parent."""
    edit = history.revision("enwiki", rev_id)
    assert edit is not None
    assert (author := edit.user) is not None
    page = (edit.page_id, edit.page_title, edit.namespace_id)
    assert (*page, edit.timestamp, author.name, author.user_id) == facts
    assert parent(history, edit).rev_id == parent_id


def test_each_part_is_hidden_by_itself_once(history: SampleHistory, edits: list[StoredRevision]) -> None:
    """One revision hides its text, one its user, one its comment."""
    assert sum(bool(edit.hidden) for edit in edits) == len(Part)
    for part in Part:
        assert special(history, f"hidden {part}").hidden == {part}


def test_special_pages_and_edits(history: SampleHistory, edits: list[StoredRevision]) -> None:
    """A page is created, moved and edited; there are a redirect, a talk page, a JSON page and an emptied one."""
    creation, move = special(history, "creation"), special(history, "move")
    assert (creation.kind, creation.parent_id) == (ChangeKind.CREATE, 0)
    assert (move.kind, move.moved_from) == (ChangeKind.MOVE, "Mossgate Railway Station")
    assert (creation.page_title, move.page_title) == ("Mossgate Railway Station", "Mossgate railway station")
    assert special(history, "undeletion").kind is ChangeKind.UNDELETE
    assert special(history, "redirect").is_redirect
    talk, json_page = special(history, "talk page"), special(history, "JSON")
    assert (talk.namespace_id, talk.page_title) == (1, "Talk:Lake Verrin")
    assert (json_page.namespace_id, json_page.content_model) == (0, "json")
    assert special(history, "blanking").size == 0
    after = special(history, "after a blanking")
    assert after.sha1 == parent(history, parent(history, after)).sha1
    unchanged = {(e.wiki_id, e.rev_id) for e in edits if e.parent_id and e.sha1 == parent(history, e).sha1}
    assert unchanged == {SPECIALS["move"], SPECIALS["protection"]}


def test_reverts_restore_a_text_exactly(
    history: SampleHistory, edits: list[StoredRevision], pages: list[StoredPage]
) -> None:
    """Every revert has the very text of a revision before its parent; IPs, bots and users make them."""
    by_page = {(page.wiki_id, page.page_id): past(history, page) for page in pages}
    reverts = [edit for edit in edits if edit.revert_method is not None]
    for revert in reverts:
        siblings = by_page[revert.wiki_id, revert.page_id]
        assert revert.sha1 in {r.sha1 for r in siblings if r.rev_id < revert.parent_id}
    assert len(reverts) >= 15
    assert {r.user.kind for r in reverts if r.user} >= {UserKind.IP, UserKind.REGISTERED}
    assert any("bot" in (r.user.groups or ()) for r in reverts if r.user)
    assert any("bot" in (e.user.groups or ()) and e.revert_method is None for e in edits if e.user)
