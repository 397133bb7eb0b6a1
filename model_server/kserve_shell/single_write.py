"""uvicorn's HTTP protocol, which writes each answer at once, and marks each request whose body has arrived with it.

uvicorn writes an answer's head and then its body, and uvloop hands each to the kernel at once: two system calls,
two packets, and a client that is woken up for the first one in vain. That is a third of what an answer costs.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BODY_IS_HERE = "revertrisk.body_is_here"
"""A key of an ASGI scope: true once all of the request's body has arrived, so that reading it never waits."""
LINGER_S = 2.0


class SingleWriteProtocol(HttpToolsProtocol):
    """uvicorn's protocol, on a transport that holds the head of an answer for its body."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to serve a connection."""
        super().connection_made(cast("asyncio.Transport", CoalescingTransport(transport, self.loop)))

    def on_message_complete(self) -> None:
        """Take note of the end of a request."""
        cast("dict[str, Any]", self.scope)[BODY_IS_HERE] = True
        super().on_message_complete()


class CoalescingTransport:
    """A transport that holds what is written first until more is written in the same turn, or until the turn ends."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self.lingers = False
        """Whether closing gives the other side time to read: what it still sends is taken meanwhile."""
        self._is_closing = False

    def write(self, data: bytes) -> None:
        """Send what is held and this, or hold this."""
        if self._held:
            self._transport.write(self._held + data)
            self._held = b""
        else:
            self._held = data
            self._loop.call_soon(self._send_held)

    def close(self) -> None:
        """Send what is held, and close.

        A connection that is closed while unread data is in its buffer is reset, and the other side may lose the
        answer that it was sent (RFC 9112, 9.6).
        """
        self._send_held()
        if self.lingers and not self._is_closing and self._transport.can_write_eof():
            self._transport.write_eof()
            self._loop.call_later(LINGER_S, self._transport.close)
        else:
            self._transport.close()
        self._is_closing = True

    def is_closing(self) -> bool:
        """Whether no more can be written."""
        return self._is_closing or self._transport.is_closing()

    def _send_held(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():  # the connection may have broken meanwhile
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        """Leave all else to the transport."""
        return getattr(self._transport, name)
