"""T2: who may ask for ``/_mock/``, of both mocks, over real sockets."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import aiohttp
import psutil
import pytest

import mock_eventgate
from mock_mediawiki.api import ActionApi
from mock_mediawiki.app import create_app, listening
from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.table import WikiTable

Listening = Callable[[str], AbstractAsyncContextManager[str]]


def wiki_listening(host: str) -> AbstractAsyncContextManager[str]:
    """Return a mock MediaWiki that listens on a host."""
    wikis = WikiTable.load()
    return listening(create_app(ActionApi(SampleHistory.shipped(wikis)), wikis, "enwiki"), host)


@pytest.fixture(params=[mock_eventgate.listening, wiki_listening], ids=["eventgate", "mediawiki"])
def mock(request: pytest.FixtureRequest) -> Listening:
    """Return what lets one of the mocks listen on a host."""
    found: Listening = request.param
    return found


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def faults(client: aiohttp.ClientSession, address: str, **headers: str) -> tuple[int, str]:
    """Put a fault in force and return the status and what was wrong."""
    async with client.put(f"{address}/_mock/faults", json=[], headers=headers) as answer:
        return answer.status, "" if answer.status == 200 else (await answer.json())["error"]


@pytest.mark.parametrize(
    ("host", "origin", "problem"),
    [
        ("127.0.0.1:{port}", None, ""),
        ("127.0.0.1:{port}", "http://127.0.0.1:{port}", ""),
        ("LOCALHOST:1", None, ""),
        ("[::1]", None, ""),
        ("127.9.9.9", None, ""),
        ("127.0.0.1:{port}", "http://127.0.0.1:1", "Origin"),
        ("127.0.0.1:{port}", "https://127.0.0.1:{port}", "Origin"),
        ("127.0.0.1:{port}", "https://evil.example", "Origin"),
        ("127.0.0.1:{port}", "null", "Origin"),
        ("evil.example", "http://evil.example", "Host"),
        ("evil.example:{port}", None, "Host"),
        ("localhost.evil.example", None, "Host"),
        ("localhost@evil.example", None, "Host"),
        ("[::1", None, ""),
        ("[evil.example]", None, "Host"),
        ("198.51.100.77", None, "Host"),
        ("mock-eventgate", None, "Host"),  # a service's name, over loopback
        ("", None, "Host"),
    ],
)
async def test_no_other_page_may_ask(
    mock: Listening, client: aiohttp.ClientSession, host: str, origin: str | None, problem: str
) -> None:
    """Host is a loopback name, and Origin is the same or absent; else 403 says what was expected."""
    async with mock("127.0.0.1") as address:
        port = address.rpartition(":")[2]
        headers = {"Host": host.format(port=port)}
        if origin is not None:
            headers["Origin"] = origin.format(port=port)

        status, told = await faults(client, address, **headers)

        assert (status, told.partition(":")[0]) == (403 if problem else 200, problem)


async def test_in_a_container(mock: Listening, client: aiohttp.ClientSession) -> None:
    """Bound to all addresses, a mock is asked by the address that was reached, or by its service's name."""
    addresses = [
        found.address
        for card in psutil.net_if_addrs().values()
        for found in card
        if found.family == socket.AF_INET and not found.address.startswith("127.")
    ]
    if not addresses:
        pytest.skip("needs an address that is not loopback")
    async with mock("0.0.0.0") as bound:  # noqa: S104 - what a container does
        address = f"http://{addresses[0]}:{bound.rpartition(':')[2]}"
        for host, status in (
            (addresses[0], 200),
            ("mock-eventgate:8192", 200),
            ("localhost:8192", 200),
            ("198.51.100.77", 403),
            ("evil.example", 403),
        ):
            assert (await faults(client, address, Host=host))[0] == status


async def test_what_the_real_ones_have_is_not_guarded(client: aiohttp.ClientSession) -> None:
    """A wiki's own host reaches its API, and any host the gate."""
    headers = {"Host": "de.wikipedia.org", "Origin": "https://evil.example"}
    async with (
        mock_eventgate.listening() as gate,
        wiki_listening("127.0.0.1") as wiki,
        client.get(f"{gate}/_info", headers=headers) as info,
        client.get(f"{wiki}/w/api.php", headers=headers) as api,
    ):
        assert (info.status, api.status) == (200, 200)
