from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_eventgate.positions import PositionError, StreamPosition, read_last_event_id, read_since

OFFSETS = st.integers(-2, 2**53)
TIMES = st.integers(0, 2**53)
POSITIONS = st.builds(
    StreamPosition, st.sampled_from(["eqiad.a", "codfw.a"]), st.integers(0, 9), OFFSETS
) | st.builds(StreamPosition, st.sampled_from(["eqiad.a", "codfw.a"]), st.integers(0, 9), st.none(), TIMES)
ZONES = st.integers(-12 * 60, 12 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.lists(POSITIONS, min_size=1))
def test_ids_are_read_back(positions: list[StreamPosition]) -> None:
    """What is written as an event's id is read from a Last-Event-ID as the same places."""
    text = orjson.dumps([position.as_json() for position in positions]).decode()
    assert read_last_event_id(text, {"eqiad.a", "codfw.a"}) == positions


@given(st.text())
def test_any_text_is_refused_or_read(text: str) -> None:
    """No text does more harm than to be refused."""
    with pytest.raises(PositionError):
        read_last_event_id(text, ())
    with suppress(ValueError):
        read_since(text)


def test_foreign_topics_are_named_once() -> None:
    """Topics that may not be read are all named."""
    places = [StreamPosition(topic, 0, 0).as_json() for topic in ("b", "a", "c", "b")]
    with pytest.raises(PositionError, match="Topics b, c are not available") as caught:
        read_last_event_id(orjson.dumps(places).decode(), {"a"})
    assert caught.value.topics == ("b", "c")


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=ZONES))  # noqa: DTZ001 - Hypothesis wants bounds without a zone
def test_since_in_any_zone(moment: datetime) -> None:
    """A time is read whatever its offset, as milliseconds are."""
    expected = int(moment.timestamp() * 1000)
    assert read_since(moment.isoformat()) == expected
    assert read_since(moment.isoformat().replace("+", " ")) == expected
    assert read_since(str(expected)) == expected


def test_since_without_a_zone() -> None:
    """A time without a zone is UTC."""
    assert read_since("2026-01-31T12:00:00") == datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp() * 1000
