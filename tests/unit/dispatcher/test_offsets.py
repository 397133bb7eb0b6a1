from hypothesis import given
from hypothesis import strategies as st

from revertrisk.dispatcher.offsets import OffsetTracker
from revertrisk.streams import Position


def test_a_partition_that_comes_back_is_another_one() -> None:
    """Records of its first time, finished or not, neither hold the second time back nor pass for it."""
    tracker = OffsetTracker()
    old, new = Position("p", 5, epoch=1), Position("p", 5, epoch=2)
    tracker.start(old)
    tracker.start(new)
    tracker.finish(new)
    assert tracker.take_committable() == [new]
    tracker.finish(old)
    assert tracker.take_committable() == [old]


def test_what_is_held_is_counted() -> None:
    """Everything from the slowest unfinished record on, finished or not."""
    tracker = OffsetTracker()
    positions = [Position("p", offset) for offset in range(3)]
    for position in positions:
        tracker.start(position)
    tracker.finish(positions[1])
    assert tracker.held == 3
    tracker.finish(positions[0])
    assert tracker.held == 1


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans())), st.randoms(use_true_random=False))
def test_a_commit_covers_exactly_the_finished_beginning(
    steps: list[tuple[str, bool]], random: object
) -> None:
    """In any order of starts and finishes, a commit is the last record with no unfinished one up to it."""
    tracker = OffsetTracker()
    started: dict[str, list[Position]] = {"a": [], "b": []}
    finished: set[Position] = set()
    committed: dict[str, Position] = {}
    for partition, starts in steps:
        open_ones = [position for position in started[partition] if position not in finished]
        if starts or not open_ones:
            position = Position(partition, len(started[partition]) * 3)
            started[partition].append(position)
            tracker.start(position)
        else:
            position = random.choice(open_ones)  # type: ignore[attr-defined]  # Hypothesis gives a Random
            finished.add(position)
            tracker.finish(position)
        committed |= {position.partition: position for position in tracker.take_committable()}
        for name, positions in started.items():
            unfinished = [index for index, position in enumerate(positions) if position not in finished]
            done = positions[: min(unfinished, default=len(positions))]
            assert committed.get(name) == (done[-1] if done else None)
