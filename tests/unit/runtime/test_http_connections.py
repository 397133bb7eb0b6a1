"""Our HTTP client keeps connections, no more than allowed, and says what a failure may have done."""

import asyncio
import socket
from collections.abc import Callable

import pytest
import uvloop

from revertrisk.runtime.http_client import Origin, _Pool
from revertrisk.runtime.http_connection import ConnectError, ConnectionBrokenError
from tests.fakes.http import open_http
from tests.fakes.raw_http import (
    CLOSE,
    CUT_SHORT,
    HELLO,
    IN_PIECES,
    ask,
    peer_of,
    serving,
    silent_peer,
    with_length,
)


async def test_connections_are_kept() -> None:
    """A hundred requests, one after the other, on one connection."""
    async with peer_of(HELLO) as peer, open_http() as http:
        for _ in range(100):
            await ask(http, peer.origin)
        assert peer.connections == 1


async def test_there_are_no_more_connections_than_allowed_and_nobody_is_forgotten() -> None:
    """Who finds none free waits for one, first come first served."""
    async with peer_of(IN_PIECES) as peer, open_http(connections=3) as http:
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


async def test_s6_a_connection_that_the_other_side_is_about_to_close_is_not_used() -> None:
    """S6: Node.js (EventGate) and Apache (MediaWiki) close what is idle for 5 s; by then we have a new one."""
    async with peer_of(HELLO) as peer, open_http() as http:
        for _ in range(3):
            assert (await ask(http, peer.origin)).body == b"hello"
            for connection in http._pools[peer.origin].connections:  # noqa: SLF001 - as if they had waited
                connection.idle_since -= 4.9
        assert peer.connections == 3


async def test_a_connection_that_closes_without_an_answer_is_not_asked_again() -> None:
    """The other side may have read the request, and acted on it: the caller decides on another try."""
    async with peer_of(HELLO, [CLOSE]) as peer, open_http() as http:
        await ask(http, peer.origin)
        with pytest.raises(ConnectionBrokenError):
            await ask(http, peer.origin)
        assert len(peer.requests) == 2


async def test_a_kept_connection_that_breaks_in_the_middle_is_not_asked_again() -> None:
    """Something came back, so the other side has the request: the caller must know."""
    async with peer_of(HELLO, CUT_SHORT) as peer, open_http() as http:
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
    async with peer_of(twice, HELLO) as peer, open_http() as http:
        assert (await ask(http, peer.origin)).body == b"one"
        assert (await ask(http, peer.origin)).body == b"hello"
        assert peer.connections == 2


async def test_a_caller_that_gives_up_leaves_its_place() -> None:
    """A cancelled request neither keeps its connection nor one of the places."""
    async with silent_peer() as peer, open_http(connections=1) as http:
        for _ in range(5):
            task = asyncio.create_task(ask(http, peer.origin))
            await peer.asked.acquire()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        with pytest.raises(TimeoutError):
            await ask(http, peer.origin, seconds=0.1)
        await peer.asked.acquire()  # so it was not for want of a place


async def test_the_time_covers_waiting_for_a_connection() -> None:
    """Who never gets a connection is told in time as well."""
    async with silent_peer() as peer, open_http(connections=1) as http:
        both = await asyncio.gather(
            ask(http, peer.origin, seconds=0.2), ask(http, peer.origin, seconds=0.1), return_exceptions=True
        )
        assert [type(outcome) for outcome in both] == [TimeoutError, TimeoutError]


async def test_who_goes_away_with_a_place_in_hand_gives_it_on() -> None:
    """A request that is cancelled in the turn in which its place comes loses it for nobody."""
    pool = _Pool(1)
    in_a_minute = asyncio.get_running_loop().time() + 60
    await pool.enter(in_a_minute)
    gone, given, next_one = (asyncio.create_task(pool.enter(in_a_minute)) for _ in range(3))
    await asyncio.sleep(0)
    assert not gone.done()
    gone.cancel()
    await asyncio.sleep(0)
    pool.leave()
    given.cancel()
    await next_one
    assert gone.cancelled()
    assert given.cancelled()
    another = asyncio.create_task(pool.enter(in_a_minute))
    await asyncio.sleep(0)
    assert not another.done()
    pool.leave()
    await another


async def test_a_refused_connection_has_sent_nothing() -> None:
    """The caller may be sure that nobody acted on the request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with open_http() as http:
        with pytest.raises(ConnectError):
            await ask(http, Origin("http", "127.0.0.1", port))
        with pytest.raises(ConnectError):
            await ask(http, Origin("http", "nowhere.invalid", port))


async def test_closing_tells_those_who_wait() -> None:
    """Nobody waits for an answer that cannot come any more."""
    async with silent_peer() as peer:
        async with open_http() as http:
            waiting = asyncio.create_task(ask(http, peer.origin))
            await peer.asked.acquire()
        with pytest.raises(ConnectionBrokenError):
            await waiting


async def test_a_closed_client_makes_no_connection() -> None:
    """Neither for who waits for a place, nor for who is just connecting, nor for who comes late."""
    async with silent_peer() as peer:
        async with open_http(connections=1) as http:
            both = [asyncio.create_task(ask(http, peer.origin)) for _ in range(2)]
            await asyncio.sleep(0)
        for waiting in (*both, ask(http, peer.origin)):
            with pytest.raises(ConnectError):
                await waiting
        assert not http._pools[peer.origin].connections  # noqa: SLF001 - a leak has no public face


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_caller_that_gives_up_while_it_connects_leaves_nothing(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """At whatever moment it does, on the event loop of the tests and on that of the server."""

    async def give_up() -> None:
        async with silent_peer() as peer, open_http(connections=1) as http:
            for turns in range(20):
                task = asyncio.create_task(ask(http, peer.origin))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert not http._pools[peer.origin].connections  # noqa: SLF001 - a leak has no public face

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(give_up())


class Node:
    """A handler whose connections wait for one another, and of which those at hand can die without a word."""

    def __init__(self, together: int = 1) -> None:
        self.connections = self.generation = self.swallowed = 0
        self._together = together
        self._enough = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        born = self.generation
        self.connections += 1
        if self.connections == self._together:
            self._enough.set()
        while await reader.readuntil(b"\r\n\r\n"):
            await self._enough.wait()
            if born == self.generation:
                writer.write(with_length(b"hello"))
            else:
                self.swallowed += 1

    def die(self) -> None:
        """Answer only on connections that are made from now on."""
        self.generation += 1


async def test_u2_a_time_out_closes_what_was_idle_before() -> None:
    """Of ten kept connections to a node that has died one costs a time-out, and the others nothing."""
    node = Node(together=10)
    async with serving(node) as port, open_http() as http:
        origin = Origin("http", "127.0.0.1", port)
        await asyncio.gather(*(ask(http, origin) for _ in range(10)))
        node.die()
        with pytest.raises(TimeoutError):
            await ask(http, origin, seconds=0.1)
        for _ in range(3):
            assert (await ask(http, origin)).body == b"hello"
        assert (node.connections, node.swallowed) == (11, 1)


async def test_u2_a_broken_connection_closes_what_was_idle_before() -> None:
    """A node that resets what it does not know any more."""
    both = asyncio.Barrier(2)

    async def answer_once_then_hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await both.wait()
        writer.write(with_length(b"hello"))
        await reader.readuntil(b"\r\n\r\n")

    async with serving(answer_once_then_hang_up) as port, open_http() as http:
        origin = Origin("http", "127.0.0.1", port)
        await asyncio.gather(ask(http, origin), ask(http, origin))
        with pytest.raises(ConnectionBrokenError):
            await ask(http, origin)
        assert not http._pools[origin].connections  # noqa: SLF001 - what is kept has no public face


async def test_u2_what_has_answered_during_the_failed_try_is_kept() -> None:
    """One slow request takes no connection from the others, which work."""
    asked = connections = 0

    async def answer_all_but_the_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked, connections
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            asked += 1
            if asked > 1:
                writer.write(with_length(b"hello"))

    async with serving(answer_all_but_the_first) as port, open_http() as http:
        origin = Origin("http", "127.0.0.1", port)
        slow = asyncio.create_task(ask(http, origin, seconds=0.2))
        while not asked:
            await asyncio.sleep(0)
        await ask(http, origin)
        with pytest.raises(TimeoutError):
            await slow
        await ask(http, origin)
        assert (asked, connections) == (3, 2)


async def test_u2_another_origins_connections_are_kept() -> None:
    """A node that dies says nothing of other hosts."""
    async with peer_of(HELLO) as peer, silent_peer() as silent, open_http() as http:
        await ask(http, peer.origin)
        with pytest.raises(TimeoutError):
            await ask(http, silent.origin, seconds=0.1)
        await ask(http, peer.origin)
        assert peer.connections == 1


async def test_u2_a_fresh_connection_takes_no_kept_one_and_adds_none() -> None:
    """A second try does not depend on what is kept, and there are never more connections than allowed."""
    node = Node(together=3)
    async with serving(node) as port, open_http(connections=3) as http:
        origin = Origin("http", "127.0.0.1", port)
        endpoint = http.endpoint("GET", f"http://{origin.authority}/", {})
        await asyncio.gather(*(ask(http, origin) for _ in range(3)))
        node.die()
        for _ in range(5):
            assert (await endpoint.send(timeout=5, fresh=True)).body == b"hello"
            assert len(http._pools[origin].connections) == 3  # noqa: SLF001 - the count has no public face
        assert (node.connections, node.swallowed) == (8, 0)
