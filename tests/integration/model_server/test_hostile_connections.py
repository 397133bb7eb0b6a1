"""One connection cannot take memory, the loop or other callers' requests, whatever bytes it sends (S1 to S5)."""

import asyncio
import resource
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson
import pytest

from revertrisk.cli.programs import Program
from tests.fakes.clients import FAILURE_KEYS, MODEL, Client, StartServer

PREDICT, INFER, NOWHERE = f"/v1/models/{MODEL}:predict", f"/v2/models/{MODEL}/infer", "/nowhere"
BODIES = {
    PREDICT: b'{"lang":"en","rev_id":456789}',
    INFER: orjson.dumps(
        {
            "inputs": [
                {
                    "name": "request",
                    "shape": [1],
                    "datatype": "BYTES",
                    "data": ['{"lang":"en","rev_id":456789}'],
                }
            ]
        }
    ),
    NOWHERE: b"{}",
}
REQUEST = b"GET /v1/about HTTP/1.1\r\nHost: a\r\n\r\n"
"""A body that is a request to whoever does not know where it begins."""
OFFERS = {
    "h2c": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    "websocket": (
        "Connection: keep-alive, Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ),
    "x": ("Connection: upgrade", "Upgrade: x"),
}
KINDS = ["Content-Length at once", "Content-Length later", "chunked at once", "chunked later"]
HEAD_BYTES = 65_536


class Answer(NamedTuple):
    """One answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: Any


class Connection:
    """Bytes to a server, and answers from it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await self.reader.readexactly(int(headers["content-length"]))
        _, status, phrase = first.split(" ", 2)
        assert phrase == HTTPStatus(int(status)).phrase
        return Answer(int(status), headers, orjson.loads(body))

    async def is_closed(self) -> bool:
        """Wait for the end of the connection."""
        return await self.reader.read() == b""


@asynccontextmanager
async def connected(server: str) -> AsyncIterator[Connection]:
    parts = urlsplit(server)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


def pieces(path: str, kind: str, body: bytes, *headers: str) -> list[bytes]:
    """A POST in one segment or in two, with its length or in chunks."""
    framing = f"Content-Length: {len(body)}" if kind.startswith("C") else "Transfer-Encoding: chunked"
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: a", *headers, framing, "", ""]).encode()
    content = body if kind.startswith("C") else b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return [head + content] if kind.endswith("at once") else [head, content]


async def ask(server: str, parts: list[bytes]) -> list[Any]:
    """Send a request in its pieces, then ask for health on the same connection; return both answers."""
    async with connected(server) as connection:
        for part in parts:
            connection.writer.write(part)
            await connection.writer.drain()
            async with connected(server) as other:  # a turn of the server's loop between the two segments
                other.writer.write(b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")
                await other.answer()
        answer = await connection.answer()
        if isinstance(answer.body, dict):
            answer.body.pop("request_id", None)
            answer.body.pop("id", None)
        connection.writer.write(b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        return [answer.status, answer.body, (await connection.answer()).body]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("offer", OFFERS)
async def test_s1_an_offer_to_upgrade_is_ignored(scorer: str, offer: str, path: str) -> None:
    """In all four forms of a body, the answer is that to the same request without the offer, and so is what follows."""
    json = "Content-Type: application/json"
    for body in (BODIES[path], REQUEST):
        for kind in KINDS:
            plain = await ask(scorer, pieces(path, kind, body, json))
            offered = await ask(scorer, pieces(path, kind, body, json, *OFFERS[offer]))
            assert offered == plain
            assert plain[2] == {"live": True}
        assert plain[0] == (404 if path == NOWHERE else 200 if body != REQUEST else 400)


async def test_s1_offers_on_one_connection_are_ignored_one_by_one(scorer: str) -> None:
    """Also with requests in one segment, each of which has an offer and a body."""
    requests = b"".join(
        pieces(PREDICT, kind, BODIES[PREDICT], *offer)[0] for kind in KINDS[::2] for offer in OFFERS.values()
    )
    async with connected(scorer) as connection:
        connection.writer.write(requests)
        assert [(await connection.answer()).status for _ in range(6)] == [200] * 6


async def test_s2_the_stop_stays_graceful_after_a_websocket_was_offered(start_server: StartServer) -> None:
    """The offer is answered as the request that it is, and SIGTERM ends the server with status 0."""
    with start_server() as program:
        async with connected(program.url) as connection:
            head = "\r\n".join(["GET /v2/health/live HTTP/1.1", "Host: a", *OFFERS["websocket"], "", ""])
            connection.writer.write(head.encode())
            assert (await connection.answer()).body == {"live": True}
            program.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(program.process.wait, 30) == 0


@pytest.fixture(scope="module")
def impatient(start_server: StartServer, sample_wiki: str) -> Iterator[Program]:
    """A server that waits a second for anything."""
    with start_server(WIKI_URL=sample_wiki, REQUEST_DEADLINE="1", KEEP_ALIVE_SECONDS="1") as program:
        yield program


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n" + b"A: a\r\n" * 20_000, 431, "headers_too_large", id="many lines"),
        pytest.param(
            b"GET / HTTP/1.1\r\nA: " + b"a" * HEAD_BYTES + b"\r\n\r\n", 431, "headers_too_large", id="a line"
        ),
        pytest.param(b"GET /" + b"a" * HEAD_BYTES + b" ", 414, "uri_too_long", id="a URL"),
        pytest.param(b"GET /" + b"a" * 10 * HEAD_BYTES, 414, "uri_too_long", id="an endless URL"),
        pytest.param(
            b"GET / HTTP/1.1\r\nA: " + b"a" * 20 * HEAD_BYTES, 431, "headers_too_large", id="an endless line"
        ),
        pytest.param(
            b"POST "
            + PREDICT.encode()
            + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
            + b"A: a\r\n" * 20_000,
            431,
            "headers_too_large",
            id="trailers",
        ),
        pytest.param(
            b"POST "
            + INFER.encode()
            + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;"
            + b"a" * 20 * HEAD_BYTES,
            431,
            "headers_too_large",
            id="a chunk's extension",
        ),
        pytest.param(b"\x16\x03\x01\x02\x00", 400, "malformed_request", id="TLS"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed_request", id="HTTP/2"),
        pytest.param(b"GET / HTTP/1.1\r\nA b\r\n\r\n", 400, "malformed_request", id="no header"),
        pytest.param(
            b"POST " + PREDICT.encode() + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
            "malformed_request",
            id="no chunk",
        ),
        pytest.param(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method_not_allowed", id="CONNECT"),
    ],
)
async def test_s3_what_is_not_a_request_has_the_one_body_and_counts_once(
    client: Client, impatient: Program, sent: bytes, status: int, code: str
) -> None:
    """It is answered, the connection ends, and there is one count and one log line for it."""
    counted = await count_of(client, impatient, code)
    async with connected(impatient.url) as connection:
        connection.writer.write(sent)
        answer = await connection.answer()
        assert (answer.status, answer.body["code"], answer.headers["connection"]) == (status, code, "close")
        assert answer.body.keys() == FAILURE_KEYS
        assert await connection.is_closed()
    assert await count_of(client, impatient, code) == counted + 1
    lines = [line for line in impatient.log.read_text().splitlines() if answer.body["request_id"] in line]
    assert [orjson.loads(line)["labels"]["outcome"] for line in lines] == [code]


async def count_of(client: Client, program: Program, outcome: str) -> float:
    async with client.session.get(f"{program.url}/metrics") as metrics:
        for line in (await metrics.text()).splitlines():
            if line.startswith(f'revertrisk_requests_total{{outcome="{outcome}"}}'):
                return float(line.split()[-1])
    raise AssertionError(outcome)


async def test_s3_a_refusal_comes_after_the_answers_that_are_due(scorer: str) -> None:
    """What is wrong with the third request of a connection does not change the first two answers."""
    async with connected(scorer) as connection:
        good = pieces(PREDICT, KINDS[0], BODIES[PREDICT])[0]
        connection.writer.write(good + good + b"GET / HTTP/1.1\r\nA b\r\n\r\n")
        assert [(await connection.answer()).status for _ in range(3)] == [200, 200, 400]
        assert await connection.is_closed()


async def test_s3_trailers_are_no_headers(scorer: str) -> None:
    """They come after the request was begun: an id among them is not the request's."""
    async with connected(scorer) as connection:
        head, _, body = pieces(PREDICT, KINDS[2], BODIES[PREDICT])[0].partition(b"\r\n\r\n")
        connection.writer.write(head + b"\r\n\r\n" + body[:-2] + b"X-Request-Id: from-a-trailer\r\n\r\n")
        assert (await connection.answer()).headers["x-request-id"] != "from-a-trailer"


@pytest.mark.parametrize(
    "sent",
    [b"GET / HT", b"\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET /v2/health/live HTTP/1.1\r\n\r\nGET"],
    ids=["half a line", "an empty line", "half a head", "after another"],
)
async def test_s4_half_a_head_is_waited_for_until_the_deadline(impatient: Program, sent: bytes) -> None:
    """Then it is answered with 408, and the connection ends."""
    async with connected(impatient.url) as connection:
        connection.writer.write(sent)
        answer = await connection.answer()
        if b"health" in sent:
            answer = await connection.answer()
        assert (answer.status, answer.body["code"]) == (408, "request_timeout")
        assert await connection.is_closed()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /v2/health/live HTTP/1.1\r\n\r\n",
        b"POST /nowhere HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf",
    ],
)
async def test_s4_a_silent_connection_is_closed(impatient: Program, sent: bytes) -> None:
    """Before its first request, after one, and after one whose body nothing reads."""
    async with connected(impatient.url) as connection:
        connection.writer.write(sent)
        if sent:
            await connection.answer()
        assert await connection.is_closed()


@contextmanager
def few_descriptors(count: int) -> Iterator[None]:
    """Programs that are started meanwhile may have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_s4_connections_beyond_the_descriptor_limit_are_answered(
    client: Client, start_server: StartServer
) -> None:
    """With 503, one log line for all of them, and a count for each; there is room again once one has gone."""
    descriptors, spare, refused = 160, 64, 3
    with ExitStack() as stack:
        with few_descriptors(descriptors):
            program = stack.enter_context(start_server())
        async with AsyncExitStack() as held:
            for _ in range(descriptors - spare):
                connection = await held.enter_async_context(connected(program.url))
                connection.writer.write(b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await connection.answer()).status == 200
            for _ in range(refused):
                async with connected(program.url) as late:
                    late.writer.write(b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")
                    answer = await late.answer()
                    assert (answer.status, answer.body["code"]) == (503, "overloaded")
                    assert answer.headers["retry-after"] == "1"
                    assert await late.is_closed()
        while True:  # until the server has seen that they have gone
            async with client.session.get(f"{program.url}/metrics") as metrics:
                text = await metrics.text()
            if metrics.status == 200:
                break
    assert 'revertrisk_requests_total{outcome="overloaded"}' in text
    assert program.log.read_text().count("Connections are refused") == 1


async def test_s5_bodies_take_places_on_every_route(start_server: StartServer, sample_wiki: str) -> None:
    """A body that is awaited on V2 takes a place of `QUEUE_LIMIT`; a route that takes none reads none."""
    with start_server(WIKI_URL=sample_wiki, QUEUE_LIMIT="2") as program:
        async with AsyncExitStack() as held:
            for path in (INFER, PREDICT):
                begun = await held.enter_async_context(connected(program.url))
                begun.writer.write(pieces(path, KINDS[1], BODIES[path], "Expect: 100-continue")[0])
                assert await begun.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            for path, status, code in (
                (INFER, 503, "overloaded"),
                (PREDICT, 503, "overloaded"),
                (NOWHERE, 404, "not_found"),
                ("/v2/health/live", 405, "method_not_allowed"),
            ):
                async with connected(program.url) as late:
                    late.writer.write(pieces(path, KINDS[1], BODIES[INFER], "Expect: 100-continue")[0])
                    answer = await late.answer()  # and not 100 Continue
                    assert (answer.status, answer.body["code"]) == (status, code)
            async with connected(program.url) as other:
                other.writer.write(b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await other.answer()).status == 200
