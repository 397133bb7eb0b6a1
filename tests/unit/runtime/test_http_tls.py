"""Our HTTP client speaks TLS, and only to whom a certificate names."""

import pytest
import trustme

from revertrisk.runtime.http_client import Origin
from revertrisk.runtime.http_connection import ConnectError
from tests.fakes.http import open_http
from tests.fakes.raw_http import LONG, ask
from tests.fakes.tls_peer import tls_peer, trusting


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
