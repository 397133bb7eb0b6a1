"""The diff behind the mock's diff pages."""

import random
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_mediawiki.pages.line_diff import CONTEXT, DiffLine, LineKind, line_diff

LINES = st.lists(st.sampled_from(["", "a b c", "a b d", "Ein Baum", "木の下", "|-"]), max_size=14)


def text(line: DiffLine) -> str:
    """Return a line as it was."""
    return "".join(piece.text for piece in line.pieces)


def changed(line: DiffLine) -> list[str]:
    """Return the parts of a line that are marked as changed."""
    return [piece.text for piece in line.pieces if piece.is_changed]


def kinds(before: str, after: str) -> list[list[str]]:
    """Return the kinds of the lines, stretch by stretch."""
    return [[line.kind.value for line in stretch] for stretch in line_diff(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a", "a", []),
        ("", "", []),
        ("", "a", [["added"]]),
        ("a", "", [["removed"]]),
        ("a\nb\nc", "a\nB\nc", [["same", "removed", "added", "same"]]),
        ("1\n2\n3\n4\n5", "1\n2\n3\n4\n5\n6", [["same", "same", "added"]]),
        (
            "x\n1\n2\n3\n4\ny",
            "X\n1\n2\n3\n4\nY",
            [["removed", "added"] + ["same"] * 4 + ["removed", "added"]],
        ),
        (
            "x\n1\n2\n3\n4\n5\ny",
            "X\n1\n2\n3\n4\n5\nY",
            [["removed", "added", "same", "same"], ["same", "same", "removed", "added"]],
        ),
    ],
)
def test_changes_come_with_the_lines_around_them(before: str, after: str, expected: list[list[str]]) -> None:
    """Changes close to one another are one stretch, others are apart; equal texts have none."""
    assert kinds(before, after) == expected


@pytest.mark.parametrize(
    ("before", "after", "removed", "added"),
    [
        ("the old tree stands", "the new tree stands", ["old"], ["new"]),
        ("an old big tree", "an elder giant tree", ["old big"], ["elder giant"]),
        ("蘋果樹很大", "蘋果樹很小", ["大"], ["小"]),
        ("one two", "one two three", [], [" three"]),
        ("completely different", "nothing alike here", ["completely different"], ["nothing alike here"]),
    ],
)
def test_changed_words_are_marked(before: str, after: str, removed: list[str], added: list[str]) -> None:
    """Words in most scripts, characters in Chinese; lines that have little in common change as a whole."""
    (stretch,) = line_diff(before, after)

    assert (changed(stretch[0]), changed(stretch[1])) == (removed, added)


@given(LINES, LINES)
def test_a_diff_is_right(before: list[str], after: list[str]) -> None:
    """Every line stands under its number, what is not shown is the same, and what is called same is."""
    stretches = line_diff("\n".join(before), "\n".join(after))
    old, new = "\n".join(before).splitlines(), "\n".join(after).splitlines()

    shown = list(chain.from_iterable(stretches))
    for line in shown:
        assert line.before is None or old[line.before - 1] == text(line)
        assert line.after is None or new[line.after - 1] == text(line)
        assert (line.before is None, line.after is None) == (
            line.kind is LineKind.ADDED,
            line.kind is LineKind.REMOVED,
        )
    removed = {line.before for line in shown if line.kind is LineKind.REMOVED}
    added = {line.after for line in shown if line.kind is LineKind.ADDED}
    kept = [line for number, line in enumerate(old, start=1) if number not in removed]
    assert kept == [line for number, line in enumerate(new, start=1) if number not in added]
    for stretch in stretches:
        assert any(line.kind is not LineKind.SAME for line in stretch)
        assert [line.kind for line in stretch[: CONTEXT + 1]] != [LineKind.SAME] * (CONTEXT + 1)


def test_long_texts_are_compared_coarsely_and_still_rightly() -> None:
    """Twenty thousand lines, and a line of twenty thousand words, are compared without trying every pair."""
    order = random.Random(1)  # noqa: S311 - chance that repeats
    old = [str(order.randrange(50)) for _ in range(20_000)]
    new = ["first", *reversed(old), "last"]
    shown = list(chain.from_iterable(line_diff("\n".join(old), "\n".join(new))))
    assert [text(line) for line in shown if line.kind is not LineKind.REMOVED] == new

    words = " ".join(map(str, range(20_000)))
    (stretch,) = line_diff(f"{words} old {words}", f"{words} new {words}")
    assert [changed(line) for line in stretch] == [["old"], ["new"]]
