"""Where our HTTP client sends a request, and what its head says."""

import pytest

from revertrisk.runtime.http_client import Origin, request_head


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
