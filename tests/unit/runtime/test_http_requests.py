"""Where our HTTP client sends a request, and what its head says."""

import pytest

from revertrisk.runtime.http_client import Origin
from tests.fakes.http import open_http
from tests.fakes.raw_http import HELLO, peer_of


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
async def test_a_header_and_a_query_stay_on_their_line(value: str) -> None:
    """Neither a setting nor an id can smuggle a header in."""
    async with open_http() as http:
        with pytest.raises(ValueError, match="one line"):
            http.endpoint("GET", "http://gate/", {"User-Agent": value})
        with pytest.raises(ValueError, match="one line"):
            await http.endpoint("GET", "http://gate/", {}).send(query=value, timeout=1)


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("", "", b"/"),
        ("/w/api.php", "a=b", b"/w/api.php?a=b"),
        ("/w/api.php?a=b", "", b"/w/api.php?a=b"),
        ("/w/api.php?a=b", "c=%20d", b"/w/api.php?a=b&c=%20d"),
    ],
)
async def test_a_query_is_added_to_the_urls_own(path: str, query: str, target: bytes) -> None:
    """Whether it has one or not; and a request without a body says nothing of its length."""
    async with peer_of(HELLO) as peer, open_http() as http:
        endpoint = http.endpoint("GET", f"http://127.0.0.1:{peer.port}{path}", {"X": "y"})
        assert (await endpoint.send(query=query, timeout=5)).body == b"hello"
        assert peer.requests == [
            b"GET %b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX: y\r\n\r\n" % (target, peer.port)
        ]


async def test_the_host_header_may_be_another_than_the_urls() -> None:
    """A wiki behind an internal endpoint is named by it; a body has its length."""
    async with peer_of(HELLO) as peer, open_http() as http:
        endpoint = http.endpoint("POST", f"http://127.0.0.1:{peer.port}/", {"Host": "de.wikipedia.org"})
        await endpoint.send(b"", timeout=5)
        assert peer.requests == [b"POST / HTTP/1.1\r\nHost: de.wikipedia.org\r\nContent-Length: 0\r\n\r\n"]
