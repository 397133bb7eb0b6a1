"""A query to MediaWiki says what mwapi was asked for, however its parts were prepared."""

import ssl
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from event_platform.http_client import HttpClient
from model_server.mediawiki import QUOTED, REVISIONS
from model_server.mwapi_session import MWAPI_PARAMS, MwapiSession


@pytest.mark.parametrize(
    "params",
    [
        {**REVISIONS, "revids": "1", **MWAPI_PARAMS},
        {**REVISIONS, "revids": "100000000001|100000000000", **MWAPI_PARAMS},
        {**REVISIONS, "revids": "1\r\nX-Injected: 1", **MWAPI_PARAMS},
        {**REVISIONS, "rvprop": "ids&a=b", "revids": "", "ž\n": "c d", "number": 3, **MWAPI_PARAMS},
    ],
)
async def test_a_query_is_quoted_as_the_standard_library_does(params: Mapping[str, object]) -> None:
    """Whether a parameter was quoted beforehand, is a list of ids, or comes from a continuation."""
    async with HttpClient(
        tls=ssl.create_default_context(), connections_per_origin=1, max_body_bytes=1
    ) as http:
        session = MwapiSession(
            http, "http://wiki:1/w/api.php", timeout=1.0, headers={"Host": "wiki"}, quoted=QUOTED
        )
        message = session.request(params=params)._message  # noqa: SLF001 - what would be sent
    assert message == f"GET /w/api.php?{urlencode(params)} HTTP/1.1\r\nHost: wiki\r\n\r\n".encode()
