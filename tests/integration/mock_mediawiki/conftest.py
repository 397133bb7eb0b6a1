"""A mock MediaWiki over made-up pages, on a real socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from event_platform.wikis import WikiTable
from mock_mediawiki.api import RESULT_LIMIT, ActionApi
from mock_mediawiki.app import create_app, listening
from mock_mediawiki.samples import SampleHistory

GERMAN = """\
wiki_id: dewiki
users:
  Ada: {kind: registered, user_id: 7, edit_count: 900, registered: 2019-01-01T00:00:00Z, groups: [editor]}
  "~2026-10011-01": {kind: temporary, user_id: 9, edit_count: 1, registered: 2026-08-01T10:00:00Z}
pages:
  - page_id: 10
    title: Apfelbaum im Garten
    revisions:
      - {rev_id: 100, timestamp: 2026-08-01T10:00:00Z, user: Ada, comment: neu, text: Ein Apfelbaum., tags: [x]}
      - {rev_id: 101, timestamp: 2026-08-01T11:00:00Z, user: 203.0.113.5, label: bad, text: Kein Birnbaum.}
      - {rev_id: 102, timestamp: 2026-08-01T12:00:00Z, user: Ada, minor: true, label: good, text: Ein Apfelbaum.}
  - page_id: 11
    title: Verborgenes
    revisions:
      - {rev_id: 200, timestamp: 2026-08-01T10:00:00Z, user: Ada, comment: c, text: geheim, hidden: [text]}
      - {rev_id: 201, timestamp: 2026-08-02T10:00:00Z, user: Ada, comment: c, text: geheim, label: bad,
         hidden: [text, user, comment, suppressed]}
      - {rev_id: 202, timestamp: 2026-08-03T10:00:00Z, user: "~2026-10011-01", text: offen, label: good}
      - {rev_id: 203, timestamp: 2026-08-04T10:00:00Z, text: "#WEITERLEITUNG [[Apfelbaum]]", label: good}
  - page_id: 12
    title: Benutzer:Ada/common.css
    namespace_id: 2
    content_model: css
    revisions:
      - {rev_id: 300, timestamp: 2026-08-01T10:00:00Z, user: Ada, text: "b {}"}
"""
CANTONESE = """\
wiki_id: zh_yuewiki
pages:
  - page_id: 10
    title: 蘋果
    revisions:
      - {rev_id: 100, timestamp: 2026-08-01T10:00:00Z, user: 192.0.2.1, text: 蘋果樹}
"""
ENGLISH = """\
wiki_id: enwiki
pages:
  - page_id: 1
    title: Tree
    revisions: [{rev_id: 1, timestamp: 2026-08-01T10:00:00Z, user: 192.0.2.1, text: A tree.}]
"""


@dataclass(frozen=True, slots=True)
class Wiki:
    """A running mock: its address, and an open client."""

    address: str
    client: aiohttp.ClientSession

    async def query(self, host: str = "de.wikipedia.org", **params: str) -> dict[str, Any]:
        """Ask ``action=query`` of a wiki and return the answer."""
        defaults = {"action": "query", "format": "json", "formatversion": "2"}
        async with self.client.get(
            f"{self.address}/w/api.php", params=defaults | params, headers={"Host": host}
        ) as response:
            assert response.status == 200
            answer: dict[str, Any] = await response.json()
            assert response.headers.get("MediaWiki-API-Error") == answer.get("error", {}).get("code")
            return answer


StartWiki = Callable[[int], Awaitable[Wiki]]


@pytest.fixture
async def start_wiki() -> AsyncIterator[StartWiki]:
    """Return a function that starts a mock with a result limit in bytes."""
    wikis = WikiTable.load()
    history = SampleHistory.read([("de.yaml", GERMAN), ("yue.yaml", CANTONESE), ("en.yaml", ENGLISH)], wikis)
    async with AsyncExitStack() as opened:
        client = await opened.enter_async_context(aiohttp.ClientSession(headers={"User-Agent": "tester/1.0"}))

        async def start(result_limit: int) -> Wiki:
            api = ActionApi(history, result_limit=result_limit)
            app = create_app(api, wikis, history.default_wiki_id)
            return Wiki(await opened.enter_async_context(listening(app)), client)

        yield start


@pytest.fixture
async def wiki(start_wiki: StartWiki) -> Wiki:
    """Return a running mock with MediaWiki's limits."""
    return await start_wiki(RESULT_LIMIT)
