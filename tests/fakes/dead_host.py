"""A host of several addresses, of which the first ones take no packet."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

NAME = "dual-stack.example"


@contextmanager
def swallowing() -> Iterator[int]:
    """A port on loopback that answers nothing to who would connect: it neither accepts nor refuses."""
    with socket.socket() as listener, socket.socket() as queued, socket.socket() as one_more:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        queued.connect(listener.getsockname())  # and nobody accepts it: the queue is full
        one_more.setblocking(False)
        one_more.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@asynccontextmanager
async def ports_of_name(*ports: int) -> AsyncIterator[None]:
    """What the running event loop resolves `NAME` to, in this order."""
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def getaddrinfo(host: Any, port: Any, **hints: Any) -> Any:
        if host != NAME:
            return await resolve(host, port, **hints)
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*kind, ("127.0.0.1", port)) for port in ports]

    loop.getaddrinfo = getaddrinfo  # type: ignore[method-assign]
    try:
        yield
    finally:
        loop.getaddrinfo = resolve  # type: ignore[method-assign]
