"""Which edits are to be looked at."""

import random
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from revertrisk.dashboard import open_edits
from revertrisk.dashboard.open_edit import EditKey, Gone, Order, Reverts, View
from revertrisk.dashboard.open_edits import OpenEdits
from revertrisk.wiki.table import WikiTable
from revertrisk.wiki.user_kinds import UserKind
from tests.fakes.streamed_edits import (
    AGNOSTIC,
    BOT,
    MULTILINGUAL,
    NOW,
    PERSONAL,
    page_changed,
    scored,
    visibility_changed,
)

WIKIS = WikiTable.load()


def after(*events: Any, hours: float = 24.0) -> OpenEdits:
    edits = OpenEdits(WIKIS, lambda *_: 0.5, hours=hours, now=lambda: NOW + timedelta(days=30))
    for event in events:
        edits.take(event)
    return edits


def shown(
    edits: OpenEdits, wiki_id: str | None = None, order: Order = Order.NEWEST, model: str = AGNOSTIC
) -> list[int]:
    return [edit.key.rev_id for edit in edits.select(View(model=model, wiki=wiki_id, order=order))]


def test_only_what_is_above_the_threshold() -> None:
    """An edit is to be looked at where its risk is greater than the threshold; equal is not greater."""
    assert shown(after(scored(1, 0.49), scored(2, 0.5), scored(3, 0.51))) == [3]


def test_newest_or_worst_first() -> None:
    """Either the newest edit comes first, whenever its prediction came, or the one with the highest risk."""
    edits = after(
        scored(3, 0.7, at=NOW),
        scored(1, 0.9, at=NOW - timedelta(hours=2)),
        scored(2, 0.6, at=NOW - timedelta(hours=1)),
    )
    assert shown(edits) == [3, 2, 1]
    assert shown(edits, order=Order.WORST) == [1, 3, 2]


def test_wikis_and_models_are_apart() -> None:
    """A wiki's list has its own edits only, and a model's its own scores; all wikis can be asked for together."""
    edits = after(scored(1, 0.9), scored(1, 0.8, wiki_id="svwiki"), scored(2, 0.9, model=MULTILINGUAL))
    assert (shown(edits, "enwiki"), shown(edits, "svwiki"), shown(edits)) == ([1], [1], [1, 1])
    assert shown(edits, model=MULTILINGUAL) == [2]
    assert edits.counts(View(model=AGNOSTIC)) == {"enwiki": 1, "svwiki": 1}
    assert edits.models == [AGNOSTIC, MULTILINGUAL]


def test_users_are_apart() -> None:
    """A kind of user has its own edits only, in the list and in the counts."""
    edits = after(scored(1, 0.9), scored(2, 0.9, page_id=8, editor={"user_text": "192.0.2.1"}))
    view = View(model=AGNOSTIC, user=UserKind.IP)
    assert [edit.key.rev_id for edit in edits.select(view)] == [2]
    assert edits.counts(view) == {"enwiki": 1}


def test_wikis_without_open_edits_are_counted_too() -> None:
    """A wiki of which predictions came is known, also if none of its edits is to be looked at."""
    edits = after(scored(1, 0.9), scored(2, 0.1, wiki_id="svwiki"), scored(3, 0.9, model=MULTILINGUAL))
    assert edits.counts(View(model=AGNOSTIC)) == {"enwiki": 1, "svwiki": 0}
    assert edits.counts(View(model=MULTILINGUAL)) == {"enwiki": 1}


def test_an_edit_that_is_itself_a_revert() -> None:
    """It is known from either stream, whichever comes first; others are none."""
    change = page_changed(5, undoes=(2, 4))
    for order in permutations((change, scored(5, 0.9), scored(6, 0.9))):
        edits = after(*order).select(View(model=AGNOSTIC))
        assert {edit.key.rev_id: edit.is_revert for edit in edits} == {5: True, 6: False}
    [edit] = after(scored(5, 0.9, revert=change["revision"]["revert"])).select(View(model=AGNOSTIC))
    assert edit.is_revert


def test_why_an_edit_is_gone() -> None:
    """A revert is told; a hiding and a deletion are not told from each other."""
    edits = after(scored(3, 0.9), scored(9, 0.9, page_id=8), scored(10, 0.9, page_id=11))
    key, hidden, other = (EditKey("enwiki", rev_id, AGNOSTIC) for rev_id in (3, 9, 10))
    assert edits.why_gone(key) is None
    edits.take(REVERT)
    edits.take(visibility_changed(9, text=False))
    assert [edits.why_gone(each) for each in (key, hidden, other)] == [Gone.REVERTED, Gone.REMOVED, None]


REVERT = page_changed(5, undoes=(2, 4), editor=BOT)
GONE = [
    pytest.param(REVERT, id="a revert over it"),
    pytest.param(page_changed(4, kind="delete"), id="the deletion of its page"),
    pytest.param(
        page_changed(3, kind="visibility_change", is_content_visible=False), id="hiding of the newest"
    ),
    pytest.param(visibility_changed(3, text=False), id="hiding of an old revision"),
]


@pytest.mark.parametrize("event", GONE)
def test_what_is_reverted_or_hidden_leaves(event: dict[str, Any]) -> None:
    """An edit leaves with its revert, its hiding or its page's deletion, whichever event comes first."""
    for order in permutations((scored(3, 0.9), scored(3, 0.9, model=MULTILINGUAL), event)):
        edits = after(*order)
        assert shown(edits) == shown(edits, model=MULTILINGUAL) == []
        assert "Lake Verrin" not in repr(vars(edits)["_open"])


def test_others_stay() -> None:
    """Edits before and after the range of a revert stay, those of other pages and wikis too."""
    edits = after(
        scored(1, 0.9),
        scored(3, 0.9, page_id=8),
        scored(3, 0.9, wiki_id="svwiki"),
        scored(6, 0.9),
        REVERT,
        visibility_changed(9, text=False),
    )
    assert sorted(shown(edits)) == [1, 3, 3, 6]


def test_reverts_are_counted_once() -> None:
    """Reverted edits above the threshold are counted with those by bots, duplicates and later reverts apart."""
    by_somebody = page_changed(12, undoes=(11, 11), at=NOW + timedelta(minutes=1))
    again = page_changed(14, undoes=(2, 13), at=NOW + timedelta(minutes=2))
    edits = after(scored(2, 0.9), scored(3, 0.2), scored(4, 0.9), REVERT, scored(11, 0.9), by_somebody, again)
    edits.take(scored(4, 0.9))
    edits.take(scored(2, 0.95, version="v8"))
    assert edits.reverts("enwiki", AGNOSTIC) == Reverts(3, 2)
    assert edits.reverts("svwiki", AGNOSTIC) == Reverts(0, 0)
    assert shown(edits) == []


def test_hidden_author() -> None:
    """Of a hidden author not even the kind of account is kept, whichever event comes first."""
    hiding = visibility_changed(3, user=False)
    for order in permutations((scored(3, 0.9), hiding)):
        [edit] = after(*order).select(View(model=AGNOSTIC))
        assert edit.user_kind is UserKind.UNKNOWN
    [edit] = after(scored(3, 0.9)).select(View(model=AGNOSTIC))
    assert edit.user_kind is UserKind.REGISTERED


def test_what_is_visible_again() -> None:
    """A revision that was restored comes back with its next prediction."""
    hidden = visibility_changed(3, text=False)
    restored = visibility_changed(3, text=True, at=NOW + timedelta(minutes=9))
    assert shown(after(hidden, restored, scored(3, 0.9))) == [3]
    assert shown(after(restored, hidden, scored(3, 0.9))) == [3]


def test_the_greatest_event_of_a_revision_counts() -> None:
    """A later model version replaces an earlier one's score in any order; a duplicate changes nothing."""
    old, new = scored(3, 0.9, version="v9"), scored(3, 0.1, version="v10")
    for order in permutations((old, new, old)):
        assert shown(after(*order)) == []
    edits = after(old, old)
    assert (edits.predictions[AGNOSTIC], edits.duplicates[AGNOSTIC]) == (2, 1)


def test_titles_follow_moves() -> None:
    """A page that was moved has its new title; an older event does not bring the old one back."""
    moved = page_changed(4, kind="move", title="Verrin_Lake")
    edits = after(scored(3, 0.9), moved, page_changed(3, at=NOW - timedelta(minutes=5)))
    assert [edit.title for edit in edits.select(View(model=AGNOSTIC))] == ["Verrin Lake"]


def test_old_edits_go_by_the_streams_clock() -> None:
    """An edit leaves when the streams are so many hours past its prediction; one from the future moves no clock."""
    edits = after(scored(1, 0.9), scored(2, 0.9, at=NOW + timedelta(hours=2)), hours=3)
    edits.take(scored(3, 0.1, at=NOW + timedelta(days=90)))
    edits.forget_old()
    assert shown(edits) == [2, 1]
    edits.take(page_changed(9, page_id=9, at=NOW + timedelta(hours=4)))
    edits.forget_old()
    assert shown(edits) == [2]


@pytest.mark.parametrize("suffix", [".backfill", ".shadow"])
def test_only_live_predictions(suffix: str) -> None:
    """Predictions of the past and of models on trial are not to be looked at."""
    assert shown(after(scored(1, 0.9, suffix=suffix))) == []


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"meta": {}},
        {"wiki_id": 3, "page": {"page_id": "x"}, "page_change_kind": "edit"},
        {"wiki_id": "enwiki", "page": {"page_id": 7}, "page_change_kind": "edit"},
        {"predicted_classification": {}},
        scored(1, 2.0),
        scored(1, 0.9, wiki_id="nosuchwiki"),
        scored(1, 0.9) | {"meta": {"domain": "canary", "dt": "2026-11-20T12:00:00Z"}},
        page_changed(5, undoes=(2, 4))
        | {"revision": {"rev_id": 5, "revert": {"rev_reverted_oldest_id": "2"}}},
        page_changed(5, undoes=(2, 4)) | {"revision": []},
    ],
)
def test_nonsense_is_passed_over(event: Any) -> None:
    """What cannot be read changes nothing."""
    assert shown(after(scored(3, 0.9), event)) == [3]


def test_nothing_personal_is_kept() -> None:
    """No name and no comment is in the state."""
    edits = after(scored(3, 0.9), REVERT | {"page": {"page_id": 8, "page_title": "Other"}}, scored(4, 0.9))
    assert not any(text in repr(vars(edits)) for text in PERSONAL)


def test_any_order_ends_alike() -> None:
    """The order of events changes nothing in the end."""
    events = [scored(n, 0.4 + n / 100, page_id=n % 4) for n in range(2, 40)]
    events += [page_changed(n + 1, undoes=(n, n), page_id=n % 4) for n in range(2, 40, 3)]
    events += [visibility_changed(n, text=n % 2 == 0) for n in range(2, 40, 5)]
    events += [page_changed(99, kind="delete", page_id=1)]
    expected = shown(after(*events))
    assert expected
    chance = random.Random(3)  # noqa: S311 - no secret
    for _ in range(20):
        chance.shuffle(events)
        assert shown(after(*events)) == expected


def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first to come is the first to be forgotten, and nothing is left of it."""
    monkeypatch.setattr(open_edits, "MAX_OPEN", 3)
    edits = after(*(scored(n, 0.9, page_id=n) for n in range(1, 8)))
    assert shown(edits) == [7, 6, 5]
    state = vars(edits)
    assert len(state["_of_page"]) == len(state["_of_revision"]) == 3
