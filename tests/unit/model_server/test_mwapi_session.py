"""A query to MediaWiki says what mwapi was asked for."""

import ssl
from collections.abc import Mapping
from urllib.parse import parse_qsl

import pytest

from model_server.mediawiki import REVISIONS
from model_server.mwapi_session import MwapiSession
from revertrisk.runtime.http_client import HttpClient


@pytest.mark.parametrize(
    "params",
    [
        {**REVISIONS, "revids": "1"},
        {**REVISIONS, "revids": "100000000001|100000000000"},
        {**REVISIONS, "revids": "1\r\nX-Injected: 1"},
        {**REVISIONS, "rvprop": "ids&a=b", "revids": "", "ž\n": "c d", "number": 3},
        {"pageids": 7, "rvlimit": "1"},
    ],
)
async def test_a_query_has_every_parameter_on_one_line(params: Mapping[str, object]) -> None:
    """Whether it is one that all queries have, a list of ids, or another server's continuation."""
    async with HttpClient(
        tls=ssl.create_default_context(), connections_per_origin=1, max_body_bytes=1
    ) as http:
        session = MwapiSession(http, "http://wiki:1/w/api.php", timeout=1.0, headers={"Host": "wiki"})
        message = session.request(params=params)._message  # noqa: SLF001 - what would be sent
    line, *headers = message.decode("ascii").split("\r\n")
    assert headers == ["Host: wiki", "", ""]
    method, target, version = line.split(" ")
    assert (method, version) == ("GET", "HTTP/1.1")
    path, _, query = target.partition("?")
    assert path == "/w/api.php"
    sent = parse_qsl(query, keep_blank_values=True)
    assert sorted(sent) == sorted((name, str(value)) for name, value in params.items())
