"""TCP proxies: one that cuts connections in the middle of an answer, one whose connections die without a word."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

_CHUNK = 16 * 1024


class CuttingProxy:
    """Passes everything on, and cuts each connection after so many bytes of its answer while there are cuts left."""

    def __init__(self, url: str, cuts: Iterator[int]) -> None:
        self._where = urlsplit(url)
        self._cuts = cuts
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        left = next(self._cuts, None)
        server_reader, server_writer = await asyncio.open_connection(self._where.hostname, self._where.port)
        asking = asyncio.ensure_future(pass_on(reader, server_writer))
        try:
            while chunk := await server_reader.read(_CHUNK):
                writer.write(chunk if left is None else chunk[:left])
                if left is not None:
                    left -= len(chunk)
                    if left <= 0:
                        break
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            asking.cancel()
            server_writer.close()
            writer.close()


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
        back = asyncio.ensure_future(pass_on(server, to_client))
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


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)


@asynccontextmanager
async def proxying(proxy: CuttingProxy | DyingNode) -> AsyncIterator[str]:
    """Run a proxy, and give its address."""
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
