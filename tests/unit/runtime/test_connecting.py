"""A host is reached by whichever of its addresses answers, on the event loop of the tests and on the server's."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme
import uvloop

from revertrisk.runtime import http_connection
from revertrisk.runtime.http_client import Origin
from revertrisk.runtime.http_connection import ConnectError
from tests.fakes.dead_host import NAME, ports_of_name, swallowing
from tests.fakes.http import open_http
from tests.fakes.raw_http import HELLO, ask, peer_of
from tests.fakes.tls_peer import tls_peer, trusting

NewLoop = Callable[[], asyncio.AbstractEventLoop]
on_both_loops = pytest.mark.parametrize(
    "new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


def run(new_loop: NewLoop, test: Callable[[], Awaitable[None]]) -> None:
    """Run a test on an event loop, and find that it has left no descriptor open."""

    async def within() -> None:
        await asyncio.sleep(0)
        before = open_sockets()
        await test()
        for _ in range(10):  # what is closed is gone some turns later
            await asyncio.sleep(0)
        assert open_sockets() <= before

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(within())


def open_sockets() -> set[str]:
    """The sockets among this process's descriptors."""
    targets = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the descriptor of the listing itself
            targets.add(str(link.readlink()))
    return {target for target in targets if target.startswith("socket:")}


@on_both_loops
def test_u1_a_host_whose_first_address_swallows_packets_is_reached(new_loop: NewLoop) -> None:
    """The next address is tried after a moment, and kept like any other connection."""

    async def test() -> None:
        with swallowing() as dead:
            async with peer_of(HELLO) as peer, ports_of_name(dead, peer.port), open_http() as http:
                for _ in range(3):
                    assert (await ask(http, Origin("http", NAME, 80))).body == b"hello"
                assert peer.connections == 1

    run(new_loop, test)


@on_both_loops
def test_u1_a_host_whose_first_address_refuses_is_reached(new_loop: NewLoop) -> None:
    """A server that listens on one family only."""

    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            closed = listener.getsockname()[1]
        async with peer_of(HELLO) as peer, ports_of_name(closed, peer.port), open_http() as http:
            assert (await ask(http, Origin("http", NAME, 80))).body == b"hello"

    run(new_loop, test)


@on_both_loops
def test_u1_the_certificate_is_the_hosts_whatever_its_address(new_loop: NewLoop) -> None:
    """A certificate for the name is taken from any of its addresses, and one for another name from none."""

    async def test() -> None:
        authority = trustme.CA()
        with swallowing() as dead:
            for name, works in ((NAME, True), ("somewhere.else", False)):
                async with (
                    tls_peer(authority, name) as port,
                    ports_of_name(dead, port),
                    open_http(tls=trusting(authority)) as http,
                ):
                    if works:
                        assert (await ask(http, Origin("https", NAME, 443))).status == 200
                    else:
                        with pytest.raises(ConnectError):
                            await ask(http, Origin("https", NAME, 443))

    run(new_loop, test)


@on_both_loops
def test_u1_a_host_without_a_live_address_is_given_up_in_time(new_loop: NewLoop) -> None:
    """All tries end with the request's time, and leave no socket."""

    async def test() -> None:
        with swallowing() as one, swallowing() as another:
            async with ports_of_name(one, another), open_http() as http:
                with pytest.raises(TimeoutError):
                    await ask(http, Origin("http", NAME, 80), seconds=0.5)

    run(new_loop, test)


@on_both_loops
def test_u1_refused_by_all_its_addresses_is_no_connection(new_loop: NewLoop) -> None:
    """Nothing was sent."""

    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as another:
            closed = [listener.getsockname()[1] for listener in (one, another)]
        async with ports_of_name(*closed), open_http() as http:
            with pytest.raises(ConnectError):
                await ask(http, Origin("http", NAME, 80))

    run(new_loop, test)


@on_both_loops
def test_u1_a_caller_that_gives_up_between_two_addresses_leaves_nothing(
    new_loop: NewLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whatever moment it does: also where one address has just won and the other is being left."""
    monkeypatch.setattr(http_connection, "HEAD_START_S", 0.01)

    async def test() -> None:
        with swallowing() as dead, socket.create_server(("127.0.0.1", 0)) as live:
            live.setblocking(False)
            loop = asyncio.get_running_loop()
            async with (
                ports_of_name(dead, live.getsockname()[1]),
                open_http(tls=ssl.create_default_context()) as http,
            ):
                for turns in range(15):
                    task = asyncio.create_task(ask(http, Origin("http", NAME, 80)))
                    accepted, _ = await loop.sock_accept(live)
                    with accepted:
                        for _ in range(turns):
                            await asyncio.sleep(0)
                        task.cancel()
                        with pytest.raises(asyncio.CancelledError):
                            await task

    run(new_loop, test)
