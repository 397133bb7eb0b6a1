"""A query to MediaWiki says what mwapi was asked for."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

import pytest

from model_server.mediawiki import REVISIONS
from model_server.mwapi_session import MwapiSession
from revertrisk.runtime.http_connection import Response


class RecordingEndpoint:
    """An API that answers every query with an empty document."""

    def __init__(self) -> None:
        self.queries: list[str] = []

    async def send(self, body: bytes | None = None, *, query: str = "", **_: object) -> Response:
        assert body is None
        self.queries.append(query)
        return Response(200, {}, b"{}")


@pytest.mark.parametrize(
    "params",
    [
        {**REVISIONS, "revids": "1"},
        {**REVISIONS, "revids": "100000000001|100000000000"},
        {**REVISIONS, "revids": "1\r\nX-Injected: 1"},
        {**REVISIONS, "revids": "1|%7C+2 |ž"},
        {**REVISIONS, "rvprop": "ids&a=b", "revids": "", "ž\n": "c d", "number": 3},
        {"pageids": 7, "rvlimit": "1"},
    ],
)
async def test_a_query_has_every_parameter_on_one_line(params: Mapping[str, object]) -> None:
    """Whether it is one that all queries have, a list of ids, or another server's continuation."""
    api = RecordingEndpoint()
    async with MwapiSession(api, timeout=1.0).request(params=params) as answer:
        assert await answer.json() == {}
    (query,) = api.queries
    assert query.isascii()
    assert query.isprintable()
    assert " " not in query
    sent = parse_qsl(query, keep_blank_values=True)
    assert sorted(sent) == sorted((name, str(value)) for name, value in params.items())
    assert sorted(query.split("&")) == sorted(urlencode(params).split("&"))
