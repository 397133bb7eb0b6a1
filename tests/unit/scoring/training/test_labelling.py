from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from revertrisk.scoring.training.labelling import Label, NotLabelled, PageEdit, label_page

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
        edit.rev_id: outcome.reverted
        for edit, outcome in label_page(edits)
        if isinstance(outcome, Label) and edit.rev_id < len(edits)
    }


def test_restoring_an_earlier_text_reverts_what_lay_between() -> None:
    """Edits between two equal texts were reverted, if somebody else did it within two days."""
    edits = page(("A", "good", 0), ("B", "bad", 1), ("C", "worse", 2), ("D", "good", 3), LATER)
    assert reverted(edits) == {1: False, 2: True, 3: True, 4: False}
    outcomes = {edit.rev_id: outcome for edit, outcome in label_page(edits)}
    assert outcomes[2] == Label(reverted=True, reverted_after=timedelta(hours=2))


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


def test_l5_a_revert_without_a_range_labels_nothing() -> None:
    """L5: what it may have reverted, by its text, has no label; all else has one."""
    edits = [
        *page(("A", "good", 0), ("B", "bad", 1)),
        PageEdit(
            wiki_id="enwiki",
            page_id=1,
            rev_id=3,
            timestamp=START + timedelta(hours=2),
            author="C",
            sha1="good",
            is_revert=True,
        ),
        *page(("A", "", 0), ("B", "", 1), ("C", "", 2), LATER)[3:],
    ]
    outcomes = {edit.rev_id: outcome for edit, outcome in label_page(edits)}
    assert outcomes[2] is NotLabelled.REVERT_WITHOUT_RANGE
    assert reverted(edits) == {1: False, 3: False}


def test_l9_edits_are_settled_after_twice_the_horizon() -> None:
    """L9: of a page that is edited for years, no more edits are held than those of four days."""
    held = 0

    def edits() -> Iterator[PageEdit]:
        nonlocal held
        for edit in page(*((f"U{hour}", f"t{hour}", float(hour)) for hour in range(2_000))):
            held += 1
            yield edit

    most = 0
    for _ in label_page(edits()):
        held -= 1
        most = max(most, held)
    assert most == 2 * 48 + 1
