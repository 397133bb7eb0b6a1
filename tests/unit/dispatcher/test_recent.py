from dispatcher.recent import RecentIds


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_id_is_known_for_an_hour() -> None:
    """From when it was added last."""
    clock = Clock()
    recent = RecentIds(clock=clock)
    assert "a" not in recent
    recent.add("a")
    clock.now = 3599
    assert "a" in recent
    recent.add("a")
    clock.now = 3599 + 3599
    assert "a" in recent
    clock.now += 1
    assert "a" not in recent


def test_the_oldest_ids_make_room() -> None:
    """Memory is bounded, whatever comes."""
    recent = RecentIds(most_ids=2, clock=Clock())
    for event_id in "abc":
        recent.add(event_id)
    assert [event_id in recent for event_id in "abc"] == [False, True, True]


def test_an_id_may_be_any_text() -> None:
    """A lone surrogate, which JSON can hold, is no trouble."""
    assert "\ud800" not in RecentIds()
