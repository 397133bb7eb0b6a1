"""The labels of `outcomes --matured` are those of training, on pages of every shape."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from revertrisk.reports.matured import TOO_YOUNG, matured
from revertrisk.reports.watched import Cause, Watched
from revertrisk.scoring.training.labelling import Label, NotLabelled, PageEdit, label_page

START = datetime(2026, 10, 1, tzinfo=UTC)
HORIZON = timedelta(hours=48)
TEXTS = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from("abcd"), st.sampled_from(["Ann", "Bob", None])),
    min_size=1,
    max_size=14,
)


def page_of(steps: list[tuple[int, str, str | None]]) -> list[PageEdit]:
    """Return the edits of a page: hours since the edit before, the text, the author."""
    hours = np.cumsum([step for step, _, _ in steps])
    return [
        PageEdit(
            wiki_id="enwiki",
            page_id=1,
            rev_id=place + 1,
            timestamp=START + timedelta(hours=int(hours[place])),
            parent_id=place,
            author=author,
            sha1=text,
        )
        for place, (_, text, author) in enumerate(steps)
    ]


def watched_of(edits: list[PageEdit]) -> Watched:
    """Return what a lake would hold of them: the first revert of each edit, whoever made it, and the revert of that."""
    number = len(edits)
    first: list[int | None] = [None] * number
    null_edit = np.zeros(number, dtype=np.bool_)
    for place, edit in enumerate(edits):
        before = [each.sha1 for each in edits[:place]]
        null_edit[place] = bool(before) and before[-1] == edit.sha1
        if edit.sha1 in before and not null_edit[place]:
            restored = max(index for index, text in enumerate(before) if text == edit.sha1)
            for index in range(restored + 1, place):
                first[index] = place if first[index] is None else first[index]
    never = np.full(number, np.inf)

    def seconds(later: int, earlier: int) -> float:
        return (edits[later].timestamp - edits[earlier].timestamp).total_seconds()

    revert_after, undone_after = never.copy(), never.copy()
    reverter = np.full(number, Cause.REVERTED_BY_PERSON, dtype=np.int8)
    for place, by in enumerate(first):
        if by is None:
            continue
        revert_after[place] = seconds(by, place)
        if (undoing := first[by]) is not None:
            undone_after[place] = seconds(undoing, by)
        if edits[place].author is not None and edits[place].author == edits[by].author:
            reverter[place] = Cause.SELF_REVERTED
    ones = np.zeros(number, dtype=np.int8)
    return Watched(
        wikis=("enwiki",),
        wiki=ones.astype(np.int16),
        page=ones.astype(np.int64),
        rev_id=np.array([each.rev_id for each in edits]),
        day=ones.astype(np.int32),
        probability=np.array([each.rev_id / 100 for each in edits]),
        kind=ones,
        age=np.array([seconds(number - 1, place) for place in range(number)]) + HORIZON.total_seconds(),
        revert_after=revert_after,
        undone_after=undone_after,
        deleted_after=never,
        reverter=reverter,
        is_null_edit=null_edit,
        is_skipped_by_automoderator=np.zeros(number, dtype=np.bool_),
    )


@given(TEXTS)
@settings(max_examples=120, deadline=None)
def test_the_labels_are_those_of_training(steps: list[tuple[int, str, str | None]]) -> None:
    """Each edit has its label, or is left out for the reason, that `label_page` gives."""
    edits = page_of(steps)
    found = matured(watched_of(edits), HORIZON.total_seconds())
    known = list(label_page(edits, HORIZON))
    labels = {edit.rev_id / 100: each.reverted for edit, each in known if isinstance(each, Label)}
    reverted = found.ends.cause != Cause.OPEN
    assert dict(zip(found.ends.probability.tolist(), reverted.tolist(), strict=True)) == labels
    for reason in NotLabelled:
        number = sum(each is reason for _, each in known)
        assert found.left_out.get(reason.value, 0) == number
    assert found.left_out[TOO_YOUNG] == 0
