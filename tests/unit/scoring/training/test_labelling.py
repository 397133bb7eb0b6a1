import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from revertrisk.scoring.training.examples import TrainingError
from revertrisk.scoring.training.labelled_edits import read_labelled
from revertrisk.scoring.training.labelling import PageEdit, label_edits
from revertrisk.scoring.training.own_labels import label_events, label_export, write_labels

START = datetime(2026, 3, 1, tzinfo=UTC)


def page(*edits: tuple[str, str, float], reverts: dict[int, tuple[int, int]] | None = None) -> list[PageEdit]:
    """Return edits of one page, each as author, text and hours since the first; ids count from 1."""
    return [
        PageEdit(
            wiki_id="enwiki",
            page_id=1,
            rev_id=number,
            timestamp=START + timedelta(hours=hours),
            author=author,
            sha1=text or None,
            reverts=(reverts or {}).get(number),
        )
        for number, (author, text, hours) in enumerate(edits, start=1)
    ]


LATER = ("Z", "later", 1_000.0)


def reverted(edits: list[PageEdit]) -> dict[int, bool]:
    """Return the label of each edit that has one, by revision id, without the last edit."""
    return {
        rev_id: label.reverted for (_, rev_id), label in label_edits(edits).items() if rev_id < len(edits)
    }


def test_restoring_an_earlier_text_reverts_what_lay_between() -> None:
    """Edits between two equal texts were reverted, if somebody else did it within two days."""
    edits = page(("A", "good", 0), ("B", "bad", 1), ("C", "worse", 2), ("D", "good", 3), LATER)
    assert reverted(edits) == {1: False, 2: True, 3: True, 4: False}
    assert label_edits(edits)["enwiki", 2].reverted_after == timedelta(hours=2)


def test_a_source_may_say_itself_what_was_reverted() -> None:
    """A range of reverted revisions counts where texts are hidden."""
    edits = page(("A", "", 0), ("B", "", 1), ("C", "", 2), LATER, reverts={3: (2, 2)})
    assert reverted(edits) == {1: False, 2: True, 3: False}


def test_a_range_that_begins_before_the_record_is_used_as_far_as_it_goes() -> None:
    """The oldest reverted revision may be older than the first event that was recorded."""
    edits = page(("A", "", 0), ("B", "", 1), ("C", "", 2), LATER, reverts={3: (-9, 2)})
    assert reverted(edits) == {1: True, 2: True, 3: False}


def test_a_late_revert_does_not_count() -> None:
    """After more than two days the edit has stood."""
    assert reverted(page(("A", "good", 0), ("B", "bad", 1), ("C", "good", 50), LATER))[2] is False


def test_what_nobody_can_judge_is_left_out() -> None:
    """Null edits, self-reverts, and edits that were restored after a revert have no label."""
    null_edit = page(("A", "good", 0), ("B", "good", 1), LATER)
    assert reverted(null_edit) == {1: False}
    self_revert = page(("A", "good", 0), ("B", "bad", 1), ("B", "good", 2), LATER)
    assert 2 not in reverted(self_revert)
    restored = page(("A", "good", 0), ("B", "new", 1), ("C", "good", 2), ("D", "new", 3), LATER)
    assert reverted(restored) == {1: False, 3: True, 4: False}


def test_an_edit_is_too_young_until_the_record_has_gone_on_long_enough() -> None:
    """Only an edit that had its two days is mature; one that was reverted sooner would else be over-represented."""
    labels = label_edits(page(("A", "a", 0), ("B", "b", 10), ("C", "c", 30), ("D", "b", 31), ("E", "e", 50)))
    assert {rev_id: (label.reverted, label.mature) for (_, rev_id), label in labels.items()} == {
        1: (False, True),
        2: (False, False),
        3: (True, False),
        4: (False, False),
        5: (False, False),
    }


def event(rev_id: int, hours: float, sha1: str, *, user: str = "A", **revision: Any) -> dict[str, Any]:
    """Return a page_change event of an edit."""
    moment = (START + timedelta(hours=hours)).isoformat()
    return {
        "page_change_kind": "edit",
        "wiki_id": "frwiki",
        "dt": moment,
        "page": {"page_id": 7, "namespace_id": 0},
        "revision": {
            "rev_id": rev_id,
            "rev_dt": moment,
            "rev_sha1": sha1,
            "comment": "c",
            "is_minor_edit": False,
            "editor": {"user_text": user, "user_id": 5, "edit_count": 12, "is_temp": user.startswith("~")},
            **revision,
        },
        "prior_state": {"revision": {"rev_dt": START.isoformat(), "rev_sha1": "before"}},
    }


def test_recorded_events_become_labelled_edits(tmp_path: Path) -> None:
    """A file made from events is recognised and read back: authors known, texts unknown, young edits left out."""
    revert = {"rev_reverted_oldest_id": 2, "rev_reverted_newest_id": 2}
    events = [
        event(1, 0, "good"),
        event(2, 1, "bad", user="~2026-1"),
        event(3, 2, "good", user="C", revert=revert),
        event(4, 100, "new"),
    ]
    lines = [json.dumps(each).encode() for each in events]
    for name in ("labels.jsonl", "labels.jsonl.gz"):
        path = tmp_path / name
        assert write_labels(label_events([*lines, b""]), path) == 4
        examples = read_labelled(path).examples
        assert [each.label for each in examples] == [False, True, False]
        assert [each.is_anonymous for each in examples] == [False, True, False]
        values = examples[1].features.values
        assert (values["user_edit_count"], values["user_is_temporary"]) == (12, 1)
        assert values["words_inserted"] is None
        assert len({each.page for each in examples}) == 1
        assert "~2026" not in path.read_bytes().decode("latin-1")


def test_order_and_repetition_of_events_do_not_matter() -> None:
    """A record that holds events twice, or later ones first, gives the same labels."""
    lines = [json.dumps(event(number, number, f"t{number}")).encode() for number in (1, 2, 3)]
    assert list(label_events(lines)) == list(label_events([*reversed(lines), *lines]))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"page_change_kind": "edit"}', "line 2: field 'revision' is missing"),
        (b"{", "line 2: expected a page_change event"),
        (b"[]", "line 2: expected a page_change event"),
    ],
)
def test_a_broken_event_is_named_by_its_line(line: bytes, message: str) -> None:
    """What is no event stops the labelling, with its line and what was expected."""
    with pytest.raises(TrainingError, match=message):
        list(label_events([json.dumps(event(1, 0, "a")).encode(), line]))


def test_an_export_gives_the_changed_lines_as_well(tmp_path: Path) -> None:
    """Edits of an export have their words and, by identity reverts, their labels."""
    texts = ["one\ntwo", "one\nlol", "one\ntwo", "one\ntwo\nthree"]
    revisions = "".join(
        f"<revision><id>{number}</id><timestamp>2026-01-0{number + 1}T00:00:00Z</timestamp>"
        f"<contributor><username>U{number}</username></contributor><text>{text}</text></revision>"
        for number, text in enumerate(texts)
    )
    export = tmp_path / "page.xml"
    page = f"<page><title>T</title><id>1</id>{revisions}</page>"
    export.write_text(f"<mediawiki><siteinfo></siteinfo>{page}</mediawiki>", encoding="utf-8")
    path = tmp_path / "labels.jsonl"
    assert write_labels(label_export(export, "enwiki"), path) == 3
    examples = read_labelled(path).examples
    assert [each.label for each in examples] == [True]
    assert examples[0].features.text.inserted == "lol"
    assert examples[0].features.values["words_removed"] == 1
