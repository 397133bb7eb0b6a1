"""A server behind TLS, and who trusts its certificate."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trustme

from tests.fakes.raw_http import LONG, serving, with_length


@asynccontextmanager
async def tls_peer(authority: trustme.CA, name: str) -> AsyncIterator[int]:
    """A server behind TLS whose certificate is for a name."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(with_length(LONG))

    async with serving(answer, context) as port:
        yield port


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
