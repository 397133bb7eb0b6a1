"""uvicorn's HTTP protocol with one write for each answer, and a mark on requests whose whole body has arrived.

uvicorn writes an answer's head and then its body, and uvloop passes each to the kernel at once. That takes two system
calls and two packets, and wakes the client twice: a third of the time of an answer.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BODY_IS_HERE = "revertrisk.body_is_here"
"""A key of an ASGI scope: true when the whole body of the request has arrived, so that reading it does not wait."""
LINGER_S = 2.0


class SingleWriteProtocol(HttpToolsProtocol):
    """uvicorn's protocol, on a transport that holds the head of an answer for its body."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start to serve a connection."""
        super().connection_made(cast("asyncio.Transport", CoalescingTransport(transport, self.loop)))

    def on_message_complete(self) -> None:
        """Mark the request as complete."""
        cast("dict[str, Any]", self.scope)[BODY_IS_HERE] = True
        super().on_message_complete()


class CoalescingTransport:
    """A transport that holds a write until the next write in the same turn of the event loop, or until its end."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self.lingers = False
        """Whether closing waits `LINGER_S` for the other side to read; data that it sends meanwhile is read."""
        self._is_closing = False

    def write(self, data: bytes) -> None:
        """Send the held data with this, or hold this."""
        if self._held:
            self._transport.write(self._held + data)
            self._held = b""
        else:
            self._held = data
            self._loop.call_soon(self._send_held)

    def close(self) -> None:
        """Send the held data, and close.

        If a connection is closed while unread data is in its buffer, TCP resets it, and the other side can lose the
        answer (RFC 9112, 9.6).
        """
        self._send_held()
        if self.lingers and not self._is_closing and self._transport.can_write_eof():
            self._transport.write_eof()
            self._loop.call_later(LINGER_S, self._transport.close)
        else:
            self._transport.close()
        self._is_closing = True

    def is_closing(self) -> bool:
        """Return whether nothing more can be written."""
        return self._is_closing or self._transport.is_closing()

    def _send_held(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():  # the connection may have failed meanwhile
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the wrapped transport."""
        return getattr(self._transport, name)
