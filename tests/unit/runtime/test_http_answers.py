"""Whatever an answer looks like, our HTTP client reads it as aiohttp's does, or says that it is broken."""

import gzip
import ssl
import zlib
from collections.abc import Sequence

import aiohttp
import pytest

from revertrisk.runtime.http_client import HttpClient
from revertrisk.runtime.http_connection import MAX_FRAMING_BYTES, ConnectionBrokenError
from tests.fakes.http import MAX_BODY_BYTES, open_http
from tests.fakes.raw_http import (
    CLOSE,
    CUT_SHORT,
    HEAD,
    HELLO,
    IN_PIECES,
    LONG,
    Peer,
    ask,
    peer_of,
    with_length,
)


async def ask_with_aiohttp(peer: Peer) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
        session.get(f"http://127.0.0.1:{peer.port}/w/api.php?a=b", allow_redirects=False) as answer,
    ):
        return answer.status, await answer.read()


ANSWERS: dict[str, Sequence[bytes]] = {
    "with a length": HELLO,
    "empty": [with_length(b"")],
    "byte by byte": [bytes([byte]) for byte in with_length(b"hello")],
    "long": [with_length(LONG)],
    "chunked": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"],
    "chunked, in pieces": IN_PIECES,
    "until it closes": [HEAD + b"Connection: close\r\n\r\nhello ", b"world", CLOSE],
    "HTTP/1.0": [b"HTTP/1.0 200 OK\r\n\r\nhello", CLOSE],
    "gzip": [with_length(gzip.compress(b"hello" * 1000), b"Content-Encoding: gzip")],
    "deflate": [with_length(zlib.compress(b"hello" * 1000), b"content-encoding: deflate")],
    "empty, and said to be gzip": [with_length(b"", b"Content-Encoding: gzip")],
    "not compressed, and says so": [with_length(b"hello", b"Content-Encoding: identity")],
    "no content": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "created": [b"HTTP/1.1 201 All 1 out of 1 events were accepted.\r\nContent-Length: 0\r\n\r\n"],
    "not found": [b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"],
    "a redirect": [b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"],
    "continue before it": [b"HTTP/1.1 100 Continue\r\n\r\n" + with_length(b"hello")],
    "early hints before it": [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", with_length(b"hello")],
    "no reason": [b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello"],
    "a folded case of names": [HEAD + b"cOnTeNt-LeNgTh: 5\r\n\r\nhello"],
    "text that is not ASCII in a header": [with_length(b"hello", "X-Name: Zürich".encode("latin-1"))],
    "connection: close": [with_length(b"hello", b"Connection: close"), CLOSE],
}


@pytest.mark.parametrize("pieces", ANSWERS.values(), ids=ANSWERS.keys())
async def test_an_answer_is_read_as_aiohttp_reads_it(pieces: Sequence[bytes]) -> None:
    """Status and body are the same, three times on the same client."""
    async with peer_of(pieces) as peer, open_http() as http:
        expected = await ask_with_aiohttp(peer)
        for _ in range(3):
            answer = await ask(http, peer.origin)
            assert (answer.status, answer.body) == expected


BROKEN: dict[str, Sequence[bytes]] = {
    "closed without a word": [CLOSE],
    "closed in the head": [b"HTTP/1.1 200 OK\r\nContent-", CLOSE],
    "closed in the body": CUT_SHORT,
    "closed after early hints": [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", CLOSE],
    "closed in a chunk": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", CLOSE],
    "another protocol": [b"SSH-2.0-OpenSSH_9.6\r\n\r\n", CLOSE],
    "two lengths": [HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", CLOSE],
    "a length that is none": [HEAD + b"Content-Length: five\r\n\r\nhello", CLOSE],
    "a chunk without a size": [HEAD + b"Transfer-Encoding: chunked\r\n\r\nhello\r\n", CLOSE],
    "gzip that is none": [with_length(b"hello", b"Content-Encoding: gzip")],
}


@pytest.mark.parametrize("pieces", BROKEN.values(), ids=BROKEN.keys())
async def test_what_aiohttp_calls_broken_is_broken(pieces: Sequence[bytes]) -> None:
    """No half answer is passed on, and the other side may have acted."""
    async with peer_of(pieces) as peer, open_http() as http:
        with pytest.raises(aiohttp.ClientError):
            await ask_with_aiohttp(peer)
        with pytest.raises(ConnectionBrokenError):
            await ask(http, peer.origin)


async def test_a_compressed_answer_that_is_cut_short_is_broken() -> None:
    """Where aiohttp passes on what it has: half a document is none."""
    cut_short = with_length(gzip.compress(LONG)[:50], b"Content-Encoding: gzip")
    async with peer_of([cut_short]) as peer, open_http() as http:
        with pytest.raises(ConnectionBrokenError):
            await ask(http, peer.origin)


@pytest.mark.parametrize(
    "pieces",
    [
        [with_length(b"x" * (MAX_BODY_BYTES + 1))],
        [with_length(gzip.compress(b"x" * (MAX_BODY_BYTES + 1)), b"Content-Encoding: gzip")],
        [HEAD + b"\r\n" + b"x" * (MAX_BODY_BYTES + 1), CLOSE],
        [HEAD + b"X: y\r\n" * (MAX_BODY_BYTES // 6)],
    ],
    ids=["plain", "compressed", "without a length", "without an end to its head"],
)
async def test_an_answer_without_bound_is_not_kept(pieces: Sequence[bytes]) -> None:
    """Memory is bounded, whatever answers."""
    async with peer_of(pieces) as peer, open_http() as http:
        with pytest.raises(ConnectionBrokenError):
            await ask(http, peer.origin)


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "],
    ids=["head", "trailer"],
)
async def test_a_head_is_bounded_where_a_body_may_be_long(head: bytes) -> None:
    """A line without end would keep the event loop busy with copying it."""
    async with (
        peer_of([head, b"x" * (2 * MAX_FRAMING_BYTES), CLOSE]) as peer,
        HttpClient(tls=ssl.create_default_context(), connections_per_origin=1, max_body_bytes=2**27) as http,
    ):
        with pytest.raises(ConnectionBrokenError, match="too large"):
            await ask(http, peer.origin)
