"""Recorded page_change events become labelled edits."""

import json
import tracemalloc
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from revertrisk.cli.label import Widened
from revertrisk.event_platform.page_change import SkipReason
from revertrisk.labels.labelled import Counts, label_events
from revertrisk.labels.rule import WIDENABLE, LabelRule
from revertrisk.scoring.feature_table import FEATURE_SET, FEATURES
from revertrisk.scoring.training.examples import TrainingError
from revertrisk.scoring.training.labelled_edits import read_labelled
from revertrisk.wiki.table import WikiTable

START = datetime(2026, 3, 1, tzinfo=UTC)
WIKIS = WikiTable.load()


def event(rev_id: int, hours: float, sha1: str | None, *, user: str = "A", **changes: Any) -> dict[str, Any]:
    """Return a page_change event of an edit; ``page__namespace_id=3`` changes a field of its page, and so on."""
    moment = (START + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
    built: dict[str, Any] = {
        "$schema": "/mediawiki/page/change/1.12.0",
        "meta": {"stream": "mediawiki.page_change.v1", "domain": "fr.wikipedia.org"},
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "wiki_id": "frwiki",
        "dt": moment,
        "page": {"page_id": 7, "page_title": "Moulin", "namespace_id": 0, "is_redirect": False},
        "revision": {
            "rev_id": rev_id,
            "rev_parent_id": rev_id - 1 or 10_000,
            "rev_dt": moment,
            "rev_size": 9,
            "comment": "c",
            "is_minor_edit": False,
            "is_content_visible": True,
            "editor": {"user_text": user, "user_id": 5, "edit_count": 12, "is_temp": user.startswith("~")},
        },
    }
    if sha1 is not None:
        built["revision"]["rev_sha1"] = sha1
    for path, value in changes.items():
        *parents, name = path.split("__")
        place = built
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return built


def labels(
    events: Iterable[dict[str, Any] | None], rule: LabelRule | None = None
) -> tuple[dict[int, bool], Counts]:
    """Return the label of each edit that has one, and the counts, which add up."""
    counts = Counts()
    rows = list(label_events(enumerate(events, start=1), rule or LabelRule(WIKIS), counts))
    assert counts.read == counts.labelled + counts.left_out.total()
    assert len(rows) == counts.labelled
    return {row["rev_id"]: row["label"] for row in rows}, counts


LATER = event(900, 500, "later", page__page_id=8)


def test_recorded_events_become_labelled_edits(tmp_path: Path) -> None:
    """A file made from events is recognised and read back: authors known, texts unknown, young edits left out."""
    revert = {"rev_reverted_oldest_id": 2, "rev_reverted_newest_id": 2}
    events = [
        event(1, 0, "good"),
        event(2, 1, "bad", user="~2026-1"),
        event(3, 2, "good", user="C", revision__revert=revert),
        event(4, 100, "new"),
    ]
    rows = label_events(enumerate(events, start=1), LabelRule(WIKIS), Counts())
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    examples = read_labelled(path).examples
    assert [each.label for each in examples] == [False, True, False]
    assert [each.is_anonymous for each in examples] == [False, True, False]
    values = examples[1].features.values
    assert (values["user_edit_count"], values["user_is_temporary"]) == (None, 1)
    assert examples[0].features.values["user_edit_count"] == 12
    assert values["words_inserted"] is None
    assert len({each.page for each in examples}) == 1
    assert "~2026" not in path.read_text(encoding="utf-8")


def test_a_line_holds_its_features_by_name(tmp_path: Path) -> None:
    """They are those of the server's code, with the version of their table, and are read as they stand."""
    (row, _) = label_events(enumerate([event(1, 0, "a"), LATER], start=1), LabelRule(WIKIS), Counts())
    assert (row["format"], row["feature_set"]) == ("revertrisk-labelled-edits/2", FEATURE_SET)
    assert list(row["features"]) == [feature.name for feature in FEATURES]
    assert (row["features"]["user_edit_count"], row["features"]["is_minor"]) == (12, 0)
    row["features"]["user_edit_count"] = 77
    path = tmp_path / "labels.jsonl"
    path.write_text(json.dumps(row), encoding="utf-8")
    (example,) = read_labelled(path).examples
    assert example.features.values["user_edit_count"] == 77


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "revertrisk-labelled-edits/1"}, "format: expected revertrisk-labelled-edits/2; label"),
        (
            {"feature_set": FEATURE_SET - 1},
            f"feature_set: expected version {FEATURE_SET} of the features; label",
        ),
        (
            {"features": {"words_inserted": 1}},
            f"feature_set: expected version {FEATURE_SET} of the features; label",
        ),
    ],
)
def test_lines_of_another_version_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """What was called the same in another version may not have been the same: the edits are labelled anew."""
    (row, _) = label_events(enumerate([event(1, 0, "a"), LATER], start=1), LabelRule(WIKIS), Counts())
    path = tmp_path / "labels.jsonl"
    path.write_text(json.dumps(row | changes), encoding="utf-8")
    with pytest.raises(TrainingError, match=f"labels.jsonl, edit 1: {message}"):
        read_labelled(path)


def test_order_and_repetition_of_events_do_not_matter() -> None:
    """A record that holds events twice, or later ones first, gives the same labels; a repeated one counts once."""
    events = [event(1, 1, "a"), event(2, 2, "b"), event(3, 3, "a", user="B")]
    expected, _ = labels(events)
    found, counts = labels([*reversed(events), *events])
    assert found == expected == {1: False, 2: True, 3: False}
    assert counts.left_out == {"repeated": 3}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"meta__domain": "canary"}, SkipReason.CANARY),
        ({"wiki_id": "mill"}, SkipReason.UNKNOWN_WIKI),
        ({"wiki_id": "wikidatawiki", "meta__domain": "www.wikidata.org"}, SkipReason.NOT_WIKIPEDIA),
        ({"page_change_kind": "delete", "changelog_kind": "delete"}, SkipReason.PAGE_CHANGE_KIND),
        ({"page_change_kind": "move"}, SkipReason.PAGE_CHANGE_KIND),
        ({"page_change_kind": "undelete", "changelog_kind": "insert"}, SkipReason.PAGE_CHANGE_KIND),
        ({"page__namespace_id": 3}, SkipReason.NAMESPACE),
        ({"page__is_redirect": True}, SkipReason.REDIRECT),
        ({"revision__is_content_visible": False}, SkipReason.REVISION_HIDDEN),
        ({"revision__rev_parent_id": 0}, SkipReason.NO_PARENT),
        ({"prior_state__revision": {"rev_id": 4, "is_content_visible": False}}, SkipReason.PARENT_HIDDEN),
        ({"prior_state__revision": {"rev_id": 4, "rev_sha1": "new"}}, SkipReason.NULL_EDIT),
        ({"revision__content_slots__main__content_model": "json"}, SkipReason.CONTENT_MODEL),
        ({"revision__rev_size": 3_000_000}, SkipReason.TOO_LARGE),
        ({"revision__rev_dt": "yesterday"}, "invalid_event"),
        ({"$schema": "/mediawiki/recentchange/1.0.0"}, "invalid_event"),
    ],
)
def test_l1_what_a_server_skips_is_not_labelled(changes: dict[str, Any], reason: str) -> None:
    """L1: the server's own rule decides, what it leaves out is counted, and a flag widens it where that is possible."""
    events = [event(5, 1, "new", **changes), LATER]
    found, counts = labels(events)
    assert (sorted(found), counts.left_out) == ([900], {reason: 1})
    if reason in WIDENABLE:
        found, counts = labels(events, LabelRule(WIKIS, [SkipReason(reason)]))
        assert (sorted(found), counts.left_out) == ([5, 900], {})


def test_the_flag_has_the_reasons_of_the_rule() -> None:
    """--include takes what the rule can widen."""
    assert [each.value for each in Widened] == [each.value for each in WIDENABLE]


def test_l7_a_wiki_of_no_table_is_labelled_by_its_name() -> None:
    """L7: naming it counts as widening."""
    events = [event(5, 1, "new", wiki_id="mill", meta__domain="mill.fandom.com"), LATER]
    found, _ = labels(events, LabelRule(WIKIS, named_wiki="mill"))
    assert sorted(found) == [5, 900]


def test_l5_a_revert_without_a_range_is_counted() -> None:
    """L5: EventBus leaves the ids out where they are unknown; the recording is labelled all the same."""
    revert = {"method": "manual", "is_exact": True}
    events = [
        event(1, 0, "a"),
        event(2, 1, "b", user="B"),
        event(3, 2, "a", user="C", revision__revert=revert),
        event(4, 3, "c", user="D"),
        event(5, 4, "d", user="E", revision__revert={**revert, "rev_reverted_newest_id": 10**30}),
        LATER,
    ]
    found, counts = labels(events)
    assert found == {1: False, 3: False, 4: False, 5: False, 900: False}
    assert counts.left_out == {"revert_without_range": 1}
    assert counts.reverts_without_range == 2


def test_h6_unknown_hashes_equal_nothing() -> None:
    """H6: edits whose hash is empty or missing are no null edits and restore nothing."""
    found, _ = labels([*(event(n, n, "", user=f"U{n}") for n in range(1, 4)), event(4, 4, None), LATER])
    assert found == dict.fromkeys([1, 2, 3, 4, 900], False)


def test_the_null_edit_of_a_move_reverts_nothing_and_hides_nothing() -> None:
    """A move makes a revision of the same text: it has no label, and the edits around it keep theirs."""
    moved = event(3, 3, "b", user="B", page_change_kind="move")
    events = [event(1, 1, "a"), event(2, 2, "b", user="X"), moved, event(4, 4, "a", user="C"), LATER]
    found, _ = labels(events)
    assert found == {1: False, 2: True, 4: False, 900: False}


def test_what_was_hidden_later_is_not_labelled() -> None:
    """L1, L3: a visibility_change takes the label of its revision and of the next, and what was hidden of others."""
    hiding = {"page_change_kind": "visibility_change", "revision__rev_parent_id": 1}
    events = [
        event(2, 9, "b", **hiding, revision__is_content_visible=False),
        event(4, 9, "d", **hiding, revision__is_comment_visible=False, revision__is_editor_visible=False),
        *(event(n, n, sha1, user=f"U{n}") for n, sha1 in enumerate("abcd", start=1)),
        LATER,
    ]
    counts = Counts()
    rows = {row["rev_id"]: row for row in label_events(enumerate(events), LabelRule(WIKIS), counts)}
    assert list(rows) == [1, 4, 900]
    assert counts.left_out == {"page_change_kind": 2, "revision_hidden": 1, "parent_hidden": 1}
    assert (rows[4]["comment"], rows[4]["author"], rows[4]["user"]["kind"]) == (None, None, "unknown")


def test_a_line_that_is_no_event_is_counted_and_the_first_one_named() -> None:
    """One unreadable line does not end the labelling of a month."""
    broken = {name: value for name, value in event(3, 3, "c").items() if name != "page"}
    found, counts = labels([event(1, 1, "a"), broken, None, LATER])
    assert (sorted(found), counts.left_out) == ([1, 900], {"invalid_event": 2})
    assert counts.first_invalid == "line 2: /page is missing"


def test_who_made_an_edit_is_the_performer_where_the_event_has_no_editor() -> None:
    """Events of schema 1.0 name the performer only; a server reads it on an edit."""
    old = event(2, 1, "b")
    old["performer"] = old["revision"].pop("editor")
    hidden = event(3, 2, "c", revision__is_editor_visible=False)
    rows = list(label_events(enumerate([old, hidden]), LabelRule(WIKIS), Counts()))
    assert [row["user"]["kind"] for row in rows] == ["registered", "unknown"]
    assert [row["author"] is None for row in rows] == [False, True]


def test_l9_memory_does_not_grow_with_the_record() -> None:
    """L9: an event costs a few hundred bytes of disk and next to none of memory; it was nine kilobytes."""

    def record(number: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for place in range(number):
            yield place, event(place + 1, place / 60, f"t{place}", page__page_id=place % 40)

    peaks = []
    for number in (500, 3_000):
        tracemalloc.start()
        for _ in label_events(record(number), LabelRule(WIKIS), Counts()):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / 2_500 < 300
