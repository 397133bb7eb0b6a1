import json
from datetime import UTC, datetime
from typing import Any

import pytest

from revertrisk.streams.eventstreams import resume_id

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
AT_SINCE = 1_767_225_600_000


@pytest.mark.parametrize(
    ("place", "sent"),
    [
        (
            {"topic": "a", "partition": 0, "timestamp": 5001},
            {"topic": "a", "partition": 0, "timestamp": 5000},
        ),
        ({"topic": "a", "partition": 0, "timestamp": 0}, {"topic": "a", "partition": 0, "timestamp": 0}),
        ({"topic": "a", "partition": 0, "offset": 7}, {"topic": "a", "partition": 0, "offset": 7}),
        ({"topic": "a", "partition": 0, "offset": -1}, {"topic": "a", "partition": 0, "timestamp": AT_SINCE}),
        ({"topic": "a"}, {"topic": "a"}),
        ("what is this", "what is this"),
    ],
)
def test_a_place_is_sent_back_no_later_than_its_event(place: Any, sent: Any) -> None:
    """Times go back as far as asked for, and an end becomes the time since when its topic has been empty."""
    assert json.loads(resume_id(json.dumps([place]), since=SINCE, rewind_ms=1)) == [sent]


@pytest.mark.parametrize("event_id", ["", "17", "{}", "not json"])
def test_an_id_of_another_kind_is_sent_back_as_it_is(event_id: str) -> None:
    """Other servers have ids of their own."""
    assert resume_id(event_id, since=SINCE, rewind_ms=1) == event_id
