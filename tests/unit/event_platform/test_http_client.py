"""The HTTP client gives the answers that aiohttp's gives, keeps connections, and says what a failure may have done."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
import trustme
import uvloop

from event_platform.http_client import (
    MAX_FRAMING_BYTES,
    ConnectError,
    ConnectionBrokenError,
    HttpClient,
    Origin,
    Response,
    request_head,
)
from tests.fakes.http import MAX_BODY_BYTES, open_http

HEAD = b"HTTP/1.1 200 OK\r\n"
LONG = b"x" * 300_000


@dataclass
class Peer:
    """A TCP server that answers each request on a connection with the next of its scripts, written in pieces."""

    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def origin(self) -> Origin:
        return Origin("http", "127.0.0.1", self.port)


CLOSE = b""
"""A piece of a script: close the connection here."""
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handle: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A TCP server on a port; it ends when its clients have gone and its connections are closed."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            await handle(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*tasks)


@asynccontextmanager
async def peer_of(*answers: Sequence[bytes]) -> AsyncIterator[Peer]:
    """Give the answers in turn, the last one for ever, whatever connection asks."""
    peer = Peer()
    left = list(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        while True:
            peer.requests.append(await reader.readuntil(b"\r\n\r\n"))
            for piece in left.pop(0) if len(left) > 1 else left[0]:
                if piece == CLOSE:
                    return
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)

    async with serving(answer) as port:
        peer.port = port
        yield peer


async def ask(http: HttpClient, origin: Origin, *, seconds: float = 5) -> Response:
    message = request_head("GET", "/w/api.php?a=b", {"Host": origin.authority, "User-Agent": "tests"})
    return await http.send(origin, message, seconds)


async def ask_with_aiohttp(peer: Peer) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
        session.get(f"http://127.0.0.1:{peer.port}/w/api.php?a=b", allow_redirects=False) as answer,
    ):
        return answer.status, await answer.read()


def with_length(body: bytes, *headers: bytes) -> bytes:
    return (
        HEAD
        + b"".join(header + b"\r\n" for header in headers)
        + b"Content-Length: %d\r\n\r\n" % len(body)
        + body
    )


ANSWERS: dict[str, Sequence[bytes]] = {
    "with a length": [with_length(b"hello")],
    "empty": [with_length(b"")],
    "byte by byte": [bytes([byte]) for byte in with_length(b"hello")],
    "long": [with_length(LONG)],
    "chunked": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"],
    "chunked, in pieces": [
        HEAD + b"transfer-encoding: Chunked\r\n\r\n",
        b"5;a=b\r\nhel",
        b"lo\r\n0\r\n",
        b"X: y\r\n\r\n",
    ],
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
    "closed in the body": [HEAD + b"Content-Length: 10\r\n\r\nhello", CLOSE],
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


async def test_connections_are_kept() -> None:
    """A hundred requests, one after the other, on one connection."""
    async with peer_of(ANSWERS["with a length"]) as peer, open_http() as http:
        for _ in range(100):
            await ask(http, peer.origin)
        assert peer.connections == 1


async def test_there_are_no_more_connections_than_allowed_and_nobody_is_forgotten() -> None:
    """Who finds none free waits for one, first come first served."""
    async with peer_of(ANSWERS["chunked, in pieces"]) as peer, open_http(connections=3) as http:
        answers = await asyncio.gather(*(ask(http, peer.origin) for _ in range(60)))
        assert [answer.body for answer in answers] == [b"hello"] * 60
        assert peer.connections == 3


async def test_a_kept_connection_that_was_closed_meanwhile_is_not_used() -> None:
    """A server that closes what is idle, or has restarted, costs no request."""
    closing = [with_length(b"hello"), CLOSE]  # without saying so
    async with peer_of(closing) as peer, open_http() as http:
        for _ in range(20):
            assert (await ask(http, peer.origin)).body == b"hello"
            while http._pools[peer.origin].connections:  # noqa: SLF001 - when the end has arrived, only it knows
                await asyncio.sleep(0)
        assert peer.connections == len(peer.requests) == 20


async def test_a_connection_that_closes_without_an_answer_is_not_asked_again() -> None:
    """The other side may have read the request, and acted on it: the caller decides on another try."""
    async with peer_of(ANSWERS["with a length"], [CLOSE]) as peer, open_http() as http:
        await ask(http, peer.origin)
        with pytest.raises(ConnectionBrokenError):
            await ask(http, peer.origin)
        assert len(peer.requests) == 2


async def test_a_kept_connection_that_breaks_in_the_middle_is_not_asked_again() -> None:
    """Something came back, so the other side has the request: the caller must know."""
    async with peer_of(ANSWERS["with a length"], BROKEN["closed in the body"]) as peer, open_http() as http:
        await ask(http, peer.origin)
        with pytest.raises(ConnectionBrokenError):
            await ask(http, peer.origin)
        assert len(peer.requests) == 2


async def test_an_answer_that_comes_too_late_is_nobodys() -> None:
    """Its connection is closed: the next request gets its own answer, not this one's."""
    release = asyncio.Event()
    seen = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        while await reader.readuntil(b"\r\n\r\n"):
            seen += 1
            number = seen
            if number == 1:
                await release.wait()
            writer.write(with_length(b"%d" % number))

    async with serving(answer) as port, open_http() as http:
        origin = Origin("http", "127.0.0.1", port)
        with pytest.raises(TimeoutError):
            await ask(http, origin, seconds=0.05)
        release.set()
        assert (await ask(http, origin)).body == b"2"


async def test_a_connection_that_answers_twice_is_not_used_again() -> None:
    """What else it says may be the answer to another request, and nobody can tell."""
    twice = [with_length(b"one") + with_length(b"what for?")]
    async with peer_of(twice, ANSWERS["with a length"]) as peer, open_http() as http:
        assert (await ask(http, peer.origin)).body == b"one"
        assert (await ask(http, peer.origin)).body == b"hello"
        assert peer.connections == 2


async def test_a_caller_that_gives_up_leaves_its_place() -> None:
    """A cancelled request neither keeps its connection nor one of the places."""
    async with hanging() as origin, open_http(connections=1) as http:
        for _ in range(5):
            task = asyncio.create_task(ask(http, origin))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        with pytest.raises(TimeoutError):  # and not for want of a place
            await ask(http, origin, seconds=0.1)


async def test_the_time_covers_waiting_for_a_connection() -> None:
    """Who never gets a connection is told in time as well."""
    async with hanging() as origin, open_http(connections=1) as http:
        both = await asyncio.gather(
            ask(http, origin, seconds=0.2), ask(http, origin, seconds=0.1), return_exceptions=True
        )
        assert [type(outcome) for outcome in both] == [TimeoutError, TimeoutError]


async def test_a_refused_connection_has_sent_nothing() -> None:
    """The caller may be sure that nobody acted on the request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with open_http() as http:
        with pytest.raises(ConnectError):
            await ask(http, Origin("http", "127.0.0.1", port))
        with pytest.raises(ConnectError):
            await ask(http, Origin("http", "nowhere.invalid", port))


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


async def test_tls_is_spoken_and_its_connections_are_kept() -> None:
    """The same answers behind https, of a server whose certificate was signed by one that we trust."""
    authority = trustme.CA()
    async with tls_peer(authority, "localhost") as port, open_http(tls=trusting(authority)) as http:
        for _ in range(3):
            answer = await ask(http, Origin("https", "localhost", port))
            assert (answer.status, answer.body) == (200, LONG)


async def test_a_certificate_that_does_not_fit_is_no_connection() -> None:
    """Neither one that nobody signed, nor one of another host; and nothing was sent."""
    authority = trustme.CA()
    async with tls_peer(authority, "somewhere.else") as port:
        for tls in (trusting(trustme.CA()), trusting(authority)):
            async with open_http(tls=tls) as http:
                with pytest.raises(ConnectError):
                    await ask(http, Origin("https", "localhost", port))


async def test_closing_tells_those_who_wait() -> None:
    """Nobody waits for an answer that cannot come any more."""
    async with hanging() as origin:
        async with open_http() as http:
            waiting = asyncio.create_task(ask(http, origin))
            await asyncio.sleep(0.05)
        with pytest.raises(ConnectionBrokenError):
            await waiting


async def test_a_closed_client_makes_no_connection() -> None:
    """Neither for who waits for a place, nor for who is just connecting, nor for who comes late."""
    async with hanging() as origin:
        async with open_http(connections=1) as http:
            both = [asyncio.create_task(ask(http, origin)) for _ in range(2)]
            await asyncio.sleep(0)
        for waiting in (*both, ask(http, origin)):
            with pytest.raises(ConnectError):
                await waiting
        assert not http._pools[origin].connections  # noqa: SLF001 - a leak has no public face


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_caller_that_gives_up_while_it_connects_leaves_nothing(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """At whatever moment it does, on the event loop of the tests and on that of the server."""

    async def give_up() -> None:
        async with hanging() as origin, open_http(connections=1) as http:
            for turns in range(20):
                task = asyncio.create_task(ask(http, origin))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert not http._pools[origin].connections  # noqa: SLF001 - a leak has no public face

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(give_up())


@asynccontextmanager
async def hanging() -> AsyncIterator[Origin]:
    """A server that takes every request and answers none."""
    taken: list[asyncio.BaseTransport] = []

    class Silent(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            taken.append(transport)

    async with await asyncio.get_running_loop().create_server(Silent, "127.0.0.1", 0) as server:
        yield Origin("http", "127.0.0.1", server.sockets[0].getsockname()[1])
        await asyncio.sleep(0)  # one that has just connected is taken yet
        for transport in taken:
            transport.close()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("url", "origin", "authority"),
    [
        ("http://gate:8192/v1/events", Origin("http", "gate", 8192), "gate:8192"),
        ("https://de.wikipedia.org", Origin("https", "de.wikipedia.org", 443), "de.wikipedia.org"),
        ("http://[::1]:8080/", Origin("http", "::1", 8080), "[::1]:8080"),
        ("http://gate", Origin("http", "gate", 80), "gate"),
    ],
)
def test_an_origin_is_read_from_a_url(url: str, origin: Origin, authority: str) -> None:
    """The Host header names the port only where it is not the scheme's."""
    assert Origin.of(url) == origin
    assert origin.authority == authority


@pytest.mark.parametrize("url", ["ftp://gate", "gate:8080", "http://", "/v1/events"])
def test_what_is_no_http_url_has_no_origin(url: str) -> None:
    """A mistyped URL does not become a request to somewhere else."""
    with pytest.raises(ValueError, match="http or https"):
        Origin.of(url)


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "a\rb"])
def test_a_header_stays_on_its_line(value: str) -> None:
    """No setting can smuggle a header in."""
    with pytest.raises(ValueError, match="one line"):
        request_head("GET", "/", {"User-Agent": value})
