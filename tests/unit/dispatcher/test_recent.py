import pytest

from revertrisk.dispatcher.recent import RecentIds


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("others_every", [100_000, 7])
def test_an_id_is_known_for_an_hour(others_every: int) -> None:
    """From when it was added last, and for five minutes longer at most, whether others come meanwhile or not."""
    clock = Clock()
    recent = RecentIds(clock=clock)
    assert "a" not in recent
    added = 0
    for second in range(8000):
        clock.now = second
        if second in {0, 299}:
            recent.add("a")
            added = second
        if second % others_every == 1:
            recent.add(str(second))
        if second < added + 3600:
            assert "a" in recent
        if second >= added + 3900:
            assert "a" not in recent


def test_the_oldest_ids_make_room() -> None:
    """Memory is bounded, whatever comes."""
    recent = RecentIds(max_ids=2, clock=Clock())
    for event_id in "a\ud800c":  # JSON can hold a lone surrogate
        recent.add(event_id)
    assert [event_id in recent for event_id in "a\ud800c"] == [False, True, True]
