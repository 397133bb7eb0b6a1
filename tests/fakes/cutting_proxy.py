"""A TCP proxy that cuts connections in the middle of what the server sends."""

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
        self.url = ""

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


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)


@asynccontextmanager
async def cutting(url: str, cuts: Iterator[int]) -> AsyncIterator[CuttingProxy]:
    """Run a proxy in front of a server."""
    proxy = CuttingProxy(url, cuts)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
