"""Read Server-Sent Events: bytes as they arrive from the network in, events out; no network in here.

Follows the event stream format of the HTML standard (https://html.spec.whatwg.org/multipage/server-sent-events.html),
which EventStreams speaks: lines end with CR, LF or CRLF, a blank line completes an event, a line that begins
with a colon is a comment.
"""

import re
from dataclasses import dataclass
from typing import Final

from revertrisk.streams.base import KEPT_OF_A_LONG_RECORD

MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
"""Four times the largest message that Wikimedia's Kafka takes."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# The standard takes any number of digits; a time of more than fifteen is no time.
_RETRY: Final = re.compile(rb"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event. ``last_event_id`` is what to resume with after it; empty if the server gave none so far."""

    data: str
    type: str = "message"
    last_event_id: str = ""
    is_whole: bool = True
    """False for one that exceeded the parser's bound: ``data`` is its beginning."""


class ServerSentEventParser:
    """Parses one response: feed it chunks of any size. What is incomplete at the end was not an event.

    A new response needs a new parser, given the ``last_event_id`` of the one before, which an event without
    an id of its own inherits. ``max_event_bytes`` bounds what is kept of an event that is not complete: of a larger one
    only the beginning comes, in its place; a field of its own that is larger is passed over.
    """

    def __init__(self, *, last_event_id: str = "", max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.last_event_id = last_event_id
        """What to send as ``Last-Event-ID`` after a cut; of completed events only."""
        self.retry: int | None = None
        """How long the server wants clients to wait before they connect again, in milliseconds."""
        self._max_event_bytes = max_event_bytes
        self._kept_bytes = min(KEPT_OF_A_LONG_RECORD, max_event_bytes)
        self._line = bytearray()
        self._is_cut = False
        """Whether the line is longer than an event may be, and only its beginning is kept."""
        self._ended_with_cr = False
        self._is_first_line = True
        self._id = last_event_id
        self._type = ""
        self._data: list[str] = []
        self._data_bytes = 0
        self._is_whole = True

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that a chunk completes, in order."""
        if not chunk:
            return []
        if self._ended_with_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]  # the second half of a CRLF
            self._ended_with_cr = False
            if not chunk:
                return []
        self._ended_with_cr = chunk.endswith(b"\r")
        lines = chunk.splitlines()  # of bytes, this knows CR, LF and CRLF only
        rest = b"" if chunk.endswith((b"\r", b"\n")) else lines.pop()
        events = []
        for piece in lines:
            line = piece
            if self._line:
                line = bytes(self._line) if self._is_cut else bytes(self._line) + piece
                self._line.clear()
            event = self._read(line)
            if event is not None:
                events.append(event)
        if not self._is_cut:
            self._line += rest
        if len(self._line) > self._max_event_bytes:
            self._is_cut = True
            del self._line[self._kept_bytes :]
        return events

    def _read(self, line: bytes) -> ServerSentEvent | None:
        if self._is_first_line:
            self._is_first_line = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            return self._dispatch()
        is_too_long = self._is_cut or len(line) > self._max_event_bytes
        self._is_cut = False
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        # A comment has the empty name, which is none of these.
        if name == b"data":
            self._add(value, is_too_long=is_too_long)
        elif is_too_long:
            return None
        elif name == b"event":
            self._type = value.decode(errors="replace")
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode(errors="replace")
        elif name == b"retry" and _RETRY.fullmatch(value):
            self.retry = int(value)
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        self.last_event_id = self._id
        data, event_type, is_whole = self._data, self._type, self._is_whole
        self._data, self._data_bytes, self._type, self._is_whole = [], 0, "", True
        if not data:
            return None
        return ServerSentEvent("\n".join(data), event_type or "message", self._id, is_whole)

    def _add(self, value: bytes, *, is_too_long: bool) -> None:
        if not self._is_whole:
            return
        self._data.append(value.decode(errors="replace"))
        self._data_bytes += len(value) + 1  # empty lines must not add up for free
        if is_too_long or self._data_bytes > self._max_event_bytes:
            self._is_whole = False
            self._data = ["\n".join(self._data)[: self._kept_bytes]]
