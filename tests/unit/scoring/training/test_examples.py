import pytest
from hypothesis import given
from hypothesis import strategies as st

from revertrisk.scoring.features import Features
from revertrisk.scoring.training.examples import (
    Example,
    KnownAtTheEdit,
    TrainingError,
    split_by_page_and_user,
)

edits = st.lists(
    st.tuples(st.sampled_from("ABCDEFGHIJ"), st.none() | st.sampled_from("abcdefghij")),
    min_size=1,
    max_size=60,
)


def examples(rows: list[tuple[str, str | None]]) -> list[Example]:
    """Return edits of given pages by given users."""
    return [
        Example(
            features=Features({}, 0), label=False, page=page, user=user, wiki_id="enwiki", is_anonymous=None
        )
        for page, user in rows
    ]


@given(edits, st.integers(0, 5))
def test_no_page_and_no_user_is_on_both_sides_of_a_split(
    rows: list[tuple[str, str | None]], seed: int
) -> None:
    """Every edit is in exactly one part, together with all edits of its page and of its author."""
    parts = split_by_page_and_user(examples(rows), [0.5, 0.3, 0.2], seed)
    assert sum(map(len, parts)) == len(rows)
    for key in ("page", "user"):
        seen = [{getattr(each, key) for each in part} - {None} for part in parts]
        assert sum(map(len, seen)) == len(set().union(*seen))


def test_a_split_has_the_shares_that_were_asked_for_and_depends_on_its_seed() -> None:
    """Unrelated edits are divided as asked; the same seed repeats the division and another changes it."""
    unrelated = examples([(f"page {index}", f"user {index}") for index in range(1000)])
    parts = split_by_page_and_user(unrelated, [0.2, 0.8], seed=1)
    assert [len(part) for part in parts] == [200, 800]
    assert split_by_page_and_user(unrelated, [0.2, 0.8], seed=1) == parts
    assert {e.page for e in split_by_page_and_user(unrelated, [0.2, 0.8], seed=2)[0]} != {
        e.page for e in parts[0]
    }


def test_names_do_not_show_in_an_examples_text() -> None:
    """A user name or a title never ends up in a log line or an exception by way of repr."""
    (each,) = examples([("Secret page", "Secret user")])
    assert "Secret" not in repr(each)


@pytest.mark.parametrize(
    "field",
    [
        "user_editcount_2024",
        "user_groups",
        "mlm",
        "rrla_score",
        "reverting_user",
        "reverted_by_rev",
        "reverting_x",
    ],
)
def test_a_field_that_knows_what_came_after_is_refused(field: str) -> None:
    """No feature can be made of a leak: whoever asks for one is told so, whether the file has it or not."""
    for row in ({field: 1, "comment": "c"}, {"comment": "c"}):
        known = KnownAtTheEdit(row)
        assert dict(known) == {"comment": "c"}
        with pytest.raises(TrainingError, match=f"{field}: known only after the edit"):
            known[field]
    with pytest.raises(KeyError):
        known["title"]
