"""Connect to a host that has several addresses, of which some may be dead (RFC 8305, "Happy Eyeballs").

A dead address often refuses nothing: it swallows packets, and who waits for it waits for minutes. So the next address
is tried beside it after a moment, and the first one that answers is taken.
"""

import asyncio
import socket

from aiohappyeyeballs import start_connection

HEAD_START_SECONDS = 0.25
"""What an address has before the next one is tried as well: RFC 8305 recommends it, and curl and aiohttp are alike."""


async def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is connected to one of the host's addresses.

    Raises OSError, RuntimeError (uvloop's in place of some of them) and UnicodeError. If it is cancelled, no socket
    stays open.
    """
    addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - an event loop runs a coroutine in one
    cancellations = task.cancelling()
    connected = await start_connection(addresses, happy_eyeballs_delay=HEAD_START_SECONDS)
    # While it ends the tries that are left over, it drops a cancellation.
    if task.cancelling() > cancellations:
        connected.close()
        raise asyncio.CancelledError
    return connected
