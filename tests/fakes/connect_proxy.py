"""An HTTP proxy that asks for a password, and behind it one server that stands for every host, https included."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from tests.fakes.tcp_proxies import pass_on

CREDENTIALS = "reader:hunter2"
_GRANTED = b"Basic " + base64.b64encode(CREDENTIALS.encode())


@dataclass
class ConnectProxy:
    """Ends the TLS of a tunnel itself, with a certificate for its host, and passes all on to one plain server."""

    upstream: str
    tls: ssl.SSLContext
    url: str = ""
    asked: list[str] = field(default_factory=list)
    """What each request named: ``CONNECT en.wikipedia.org:443``, ``GET http://example.org/x``."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target = head.decode().split(" ", 2)[:2]
            self.asked.append(f"{method} {target}")
            if b"proxy-authorization: " + _GRANTED not in head.replace(b"Proxy-Auth", b"proxy-auth"):
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await writer.start_tls(self.tls)
                head = b""
            await self._connect(head, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _connect(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        where = urlsplit(self.upstream)
        server_reader, server_writer = await asyncio.open_connection(where.hostname, where.port)
        server_writer.write(head)
        ways = [
            asyncio.ensure_future(way)
            for way in (pass_on(reader, server_writer), pass_on(server_reader, writer))
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            server_writer.close()


@asynccontextmanager
async def connect_proxy(upstream: str, tls: ssl.SSLContext) -> AsyncIterator[ConnectProxy]:
    """Run a proxy; its ``url`` has the password in it."""
    proxy = ConnectProxy(upstream, tls)
    serving: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.ensure_future(proxy.serve(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    proxy.url = f"http://{CREDENTIALS}@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


@asynccontextmanager
async def proxied(upstream: str, folder: Path) -> AsyncIterator[tuple[ConnectProxy, dict[str, str]]]:
    """Run a proxy, and yield what makes a program use it and trust its certificates: for wikis, and for a stream."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("stream.example.org", "*.wikipedia.org").configure_cert(tls)
    async with connect_proxy(upstream, tls) as proxy:
        yield (
            proxy,
            {
                "HTTPS_PROXY": proxy.url,
                "http_proxy": proxy.url,
                "SSL_CERT_FILE": str(folder / "authority.pem"),
            },
        )
