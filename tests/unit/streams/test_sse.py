import re
import tracemalloc
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revertrisk.streams.sse import ServerSentEvent, ServerSentEventParser

PIECES = [
    *(
        b"data",
        b"event",
        b"id",
        b"retry",
        b"other",
        b":",
        b" ",
        b"\r",
        b"\n",
        b"\r\n",
        b"\0",
        b"\xef\xbb\xbf",
    ),
    *(
        b"data: x\n",
        b"\n\n",
        b"id: 7\n",
        b"event: tick\n",
        b"12",
        b"\xc3\xa9",
        b"\xc3",
        b"\xff",
        b"\x0b",
        b"a",
    ),
    *("\u2028".encode(), "\N{PILE OF POO}".encode()),
]
STREAMS = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join) | st.binary(max_size=60)


def parsed(stream: bytes) -> list[ServerSentEvent]:
    """Return the events of a stream that arrives at once."""
    return ServerSentEventParser().feed(stream)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """Return a stream in chunks, cut at places taken modulo its length; some chunks may be empty."""
    ends = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(ends)]


def by_the_standard(stream: bytes) -> tuple[list[ServerSentEvent], str, int | None]:
    """Interpret a whole stream in the standard's own steps, over characters instead of bytes."""
    text = stream.decode(errors="replace").removeprefix("\ufeff")
    *lines, _ = re.split("\r\n|\r|\n", text)
    events, data, event_type, last_id, used_id, retry = [], "", "", "", "", None
    for line in lines:
        if line == "":
            used_id = last_id
            if data != "":
                events.append(ServerSentEvent(data[:-1], event_type or "message", used_id))
            data, event_type = "", ""
            continue
        field, colon, value = line.partition(":")
        if colon and field == "":
            continue
        value = value[1:] if value[:1] == " " else value
        if field == "event":
            event_type = value
        elif field == "data":
            data += value + "\n"
        elif field == "id" and "\0" not in value:
            last_id = value
        elif field == "retry" and value != "" and all(digit in "0123456789" for digit in value):
            retry = int(value)
    return events, used_id, retry


@given(STREAMS)
def test_follows_the_standard(stream: bytes) -> None:
    """Events, last event id and retry are those of the standard's own algorithm, whatever the bytes."""
    parser = ServerSentEventParser()
    events = parser.feed(stream)
    assert (events, parser.last_event_id, parser.retry) == by_the_standard(stream)


@given(STREAMS, st.lists(st.integers(min_value=0), max_size=12))
def test_any_chunking_gives_the_same_events(stream: bytes, places: list[int]) -> None:
    """Where the network cuts the stream does not matter, in the middle of a CRLF or a character included."""
    whole, pieces = ServerSentEventParser(), ServerSentEventParser()
    expected = whole.feed(stream)
    assert [event for chunk in cut(stream, places) for event in pieces.feed(chunk)] == expected
    assert (pieces.last_event_id, pieces.retry) == (whole.last_event_id, whole.retry)


TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))


@given(
    st.lists(st.tuples(st.lists(TEXT, min_size=1), TEXT, TEXT.filter(lambda text: "\0" not in text))),
    st.sampled_from(["\n", "\r", "\r\n"]),
)
def test_reads_back_what_was_written(events: list[tuple[list[str], str, str]], end: str) -> None:
    """Written events come back with the same text, whichever line end their writer used."""
    written = "".join(
        end.join([f"event: {kind}", f"id: {event_id}", *(f"data: {line}" for line in lines), "", ""])
        for lines, kind, event_id in events
    )
    assert parsed(written.encode()) == [
        ServerSentEvent("\n".join(lines), kind or "message", event_id) for lines, kind, event_id in events
    ]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\n", [ServerSentEvent("a")]),
        (b"data:a\r\rdata:  b\r\r", [ServerSentEvent("a"), ServerSentEvent(" b")]),
        (b"data: a\r\ndata: b\r\n\r\n", [ServerSentEvent("a\nb")]),
        (b"data\n\n", [ServerSentEvent("")]),
        (b"data\ndata\n\n", [ServerSentEvent("\n")]),
        (b"\xef\xbb\xbfdata: a\n\n", [ServerSentEvent("a")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
        (b":ok\n\n: data: a\n\n", []),
        (b"event: tick\ndata: a\n\ndata: b\n\n", [ServerSentEvent("a", "tick"), ServerSentEvent("b")]),
        (b"event: tick\n\ndata: b\n\n", [ServerSentEvent("b")]),
        (b"data: a", []),
        (b"data: a\n", []),
        (b"Data: a\n\n", []),
    ],
)
def test_format(stream: bytes, expected: list[ServerSentEvent]) -> None:
    """Line ends, blank lines, comments, the byte order mark and the single space are read as the standard says."""
    assert parsed(stream) == expected


def test_a_new_response_goes_on_with_the_id() -> None:
    """An event without an id, after a reconnection, has the id that the client resumed with."""
    parser = ServerSentEventParser(last_event_id="1")
    assert parser.feed(b":ok\n\ndata: a\n\n") == [ServerSentEvent("a", last_event_id="1")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"250", 250), (b"0", 0), (b"-1", None), (b"2.5", None), (b"", None), (b"9" * 5000, None)],
)
def test_retry(value: bytes, expected: int | None) -> None:
    """Only digits are a reconnection time."""
    parser = ServerSentEventParser()
    assert parser.feed(b"retry: " + value + b"\n") == []
    assert parser.retry == expected


def test_a_cr_completes_its_line_at_once() -> None:
    """An event that ends with CR is there without waiting for what follows, and a later LF adds nothing."""
    parser = ServerSentEventParser()
    assert parser.feed(b"data: a\r\r") == [ServerSentEvent("a")]
    assert parser.feed(b"\n") == []
    assert parser.feed(b"\ndata: b\n\n") == [ServerSentEvent("b")]


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("large", "beginning"),
    [
        (b"id: 2\ndata: " + b"x" * 200, "x" * 94),
        (b"data: " + b"x" * 200 + b"\nid: 2", "x" * 94),
        (b"data: xxxxxxxxxx\n" * 20 + b"id: 2", "xxxxxxxxxx\n" * 9 + "x"),
        (b"data\n" * 200 + b"id: 2", "\n" * 100),
    ],
)
def test_d9_of_a_large_event_the_beginning_comes(large: bytes, beginning: str, size: int) -> None:
    """D9: in its place, with its id; whatever follows is as if it had not been."""
    parser = ServerSentEventParser(max_event_bytes=100)
    stream = b"id: 1\ndata: a\n\n" + large + b"\n\nid: 3\ndata: b\n\n"
    events = [parser.feed(stream[start : start + size]) for start in range(0, len(stream), size)]
    first, second, third = chain(*events)
    assert (first, third) == (
        ServerSentEvent("a", last_event_id="1"),
        ServerSentEvent("b", last_event_id="3"),
    )
    assert (second.is_whole, second.last_event_id) == (False, "2")
    assert second.data.startswith(beginning)


@pytest.mark.parametrize("piece", [b"x" * 1000, b"x" * 999 + b"\ndata:", b"\ndata" * 200])
def test_d9_an_event_without_an_end_takes_no_more_memory(piece: bytes) -> None:
    """D9: two megabytes of one event are no more than its bound."""
    parser = ServerSentEventParser(max_event_bytes=10_000)
    parser.feed(b"data:")
    tracemalloc.start()
    try:
        for _ in range(2_000):
            assert parser.feed(piece) == []
        assert tracemalloc.get_traced_memory()[1] < 400_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("field", [b": ", b"id: ", b"event: ", b"retry: ", b"x"])
def test_d9_a_large_field_is_passed_over(field: bytes, size: int) -> None:
    """D9: a comment without an end, or an id that could not be sent back, is no reason to stop reading."""
    parser = ServerSentEventParser(last_event_id="1", max_event_bytes=100)
    stream = field + b"1" * 200 + b"\ndata: a\n\n"
    events = [parser.feed(stream[start : start + size]) for start in range(0, len(stream), size)]
    assert list(chain(*events)) == [ServerSentEvent("a", last_event_id="1")]


def test_the_bound_is_for_one_event() -> None:
    """Any number of events pass that are each within the bound, and comments between them."""
    parser = ServerSentEventParser(max_event_bytes=100)
    assert len(parser.feed((b": " + b"c" * 90 + b"\ndata: " + b"x" * 80 + b"\n\n") * 50)) == 50
