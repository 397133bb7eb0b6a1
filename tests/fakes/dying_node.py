"""A TCP proxy whose connections can die without a word, as those to a host that has lost its power."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

_CHUNK = 16 * 1024


class DyingNode:
    """Passes everything on until it dies; whoever connects then reaches another node, which works."""

    def __init__(self, url: str) -> None:
        self._where = urlsplit(url)
        self._generation = 0
        self._missing = 0
        self._enough = asyncio.Event()
        self._enough.set()
        self.swallowed = 0
        """Requests that were written to a dead connection."""
        self.url = ""

    def wait_for(self, connections: int) -> None:
        """Pass nothing on until so many more connections have come, so that they exist side by side."""
        self._missing = connections
        self._enough.clear()

    def die(self) -> None:
        """Pass on nothing more of any connection that is there, and say nothing."""
        self._generation += 1

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        generation = self._generation
        self._missing -= 1
        if self._missing <= 0:
            self._enough.set()
        server, to_server = await asyncio.open_connection(self._where.hostname, self._where.port)
        back = asyncio.ensure_future(_pass_on(server, to_client))
        try:
            while chunk := await client.read(_CHUNK):
                await self._enough.wait()
                if generation == self._generation:
                    to_server.write(chunk)
                else:
                    self.swallowed += 1
        except ConnectionError:
            pass
        finally:
            back.cancel()
            to_server.close()
            to_client.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)


@asynccontextmanager
async def dying_node(url: str) -> AsyncIterator[DyingNode]:
    """Run a node in front of a server."""
    node = DyingNode(url)
    server = await asyncio.start_server(node.serve, "127.0.0.1", 0)
    node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield node
    finally:
        server.close()
