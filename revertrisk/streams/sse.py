"""Parses Server-Sent Events: it takes bytes in chunks of any size, and returns events.

It follows the event stream format of the HTML standard
(https://html.spec.whatwg.org/multipage/server-sent-events.html), which EventStreams uses: lines end with CR, LF or
CRLF, a blank line completes an event, a line that begins with a colon is a comment.
"""

import re
from dataclasses import dataclass
from typing import Final

from revertrisk.streams.base import MAX_KEPT_BYTES

MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
"""Four times the largest message that Wikimedia's Kafka accepts."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# The standard allows any number of digits; more than fifteen are ignored here.
_RETRY: Final = re.compile(rb"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event. ``last_event_id`` is the id to resume with after it; empty if the server sent none so far."""

    data: str
    type: str = "message"
    last_event_id: str = ""
    is_whole: bool = True
    """False if the event exceeded the parser's limit; ``data`` is then its beginning."""


class ServerSentEventParser:
    """Parses one response, fed in chunks of any size. An event that is incomplete at the end is not returned.

    A new response needs a new parser with the ``last_event_id`` of the one before, which is the id of events without
    their own. ``max_event_bytes`` limits the memory for an incomplete event: of one with more data only the beginning
    is returned, and another field that is longer is ignored.
    """

    def __init__(self, *, last_event_id: str = "", max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.last_event_id = last_event_id
        """The ``Last-Event-ID`` to send after a disconnect; only of completed events."""
        self.retry: int | None = None
        """The server's pause before clients connect again, in milliseconds."""
        self._max_event_bytes = max_event_bytes
        self._kept_bytes = min(MAX_KEPT_BYTES, max_event_bytes)
        self._line = bytearray()
        self._is_cut = False
        """Whether the line is longer than ``max_event_bytes``, so that only its beginning is kept."""
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
        lines = chunk.splitlines()  # bytes are split only at CR, LF and CRLF
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
        # A comment has the empty name, and is ignored like unknown fields.
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
        self._data_bytes += len(value) + 1  # 1 for the newline, so that empty lines count too
        if is_too_long or self._data_bytes > self._max_event_bytes:
            self._is_whole = False
            self._data = ["\n".join(self._data)[: self._kept_bytes]]
