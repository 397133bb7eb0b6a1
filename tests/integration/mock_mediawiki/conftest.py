"""A mock MediaWiki over made-up pages, on a real socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest

from mock_mediawiki.api import RESULT_LIMIT, ActionApi
from mock_mediawiki.app import create_app, listening
from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.table import WikiTable
from tests.integration.mock_mediawiki.wiki_client import Wiki

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
FRENCH = """\
wiki_id: frwiki
pages:
  - page_id: 20
    title: Pommier
    revisions:
      - {rev_id: 500, timestamp: 2026-08-01T10:00:00Z, user: 192.0.2.1, text: Arbre.}
      - {rev_id: 501, timestamp: 2026-08-01T12:00:00Z, user: 192.0.2.1, label: good,
         text: "Arbre. [[Catégorie:Arbres]]"}
  - page_id: 21
    title: Chêne
    revisions:
      - {rev_id: 510, timestamp: 2026-08-01T11:00:00Z, user: 192.0.2.1, text: "Arbre. [[ category : arbres |Chene]]"}
  - page_id: 22
    title: Discussion:Pommier
    namespace_id: 1
    revisions:
      - {rev_id: 520, timestamp: 2026-08-01T11:00:00Z, user: 192.0.2.1, text: "Oui. [[Catégorie:Arbres]]"}
  - page_id: 23
    title: Catégorie:Arbres fruitiers
    namespace_id: 14
    revisions:
      - {rev_id: 530, timestamp: 2026-08-01T13:00:00Z, user: 192.0.2.1, text: "[[Catégorie:Arbres]]"}
  - page_id: 24
    title: Pommiers
    revisions:
      - {rev_id: 540, timestamp: 2026-08-01T14:00:00Z, user: 192.0.2.1, text: "#REDIRECTION [[pommier#Fruit|x]]"}
  - page_id: 25
    title: Érable
    revisions:
      - {rev_id: 550, timestamp: 2026-08-01T15:00:00Z, user: 192.0.2.1,
         text: "<!-- [[Catégorie:Arbres]] --><nowiki>[[Catégorie:Arbres]]</nowiki> [[:Catégorie:Arbres]]"}
  - page_id: 26
    title: Boucle
    revisions:
      - {rev_id: 560, timestamp: 2026-08-01T16:00:00Z, user: 192.0.2.1, text: "#REDIRECTION [[Boucle]]"}
  - page_id: 27
    title: Vers nulle part
    revisions:
      - {rev_id: 570, timestamp: 2026-08-01T17:00:00Z, user: 192.0.2.1, text: "#REDIRECT [[Nulle part]]"}
"""
HEBREW = """\
wiki_id: hewiki
pages:
  - page_id: 30
    title: עץ <b> "תמר"
    revisions:
      - {rev_id: 600, timestamp: 2026-08-01T10:00:00Z, user: 192.0.2.1, comment: "<i>ראש</i>",
         text: "שלד אחת\\nשלד <script>alert(1)</script> שתים\\nשלד שלש"}
      - {rev_id: 601, timestamp: 2026-08-01T11:00:00Z, user: 192.0.2.2, label: good,
         text: "שלד אחת\\nשלד <script>alert(2)</script> שתים\\nשלד שלש\\nחדש & נאה"}
      - {rev_id: 602, timestamp: 2026-08-01T12:00:00Z, user: 192.0.2.2, label: good, parent: 599, text: "נפל"}
"""


StartWiki = Callable[[int], Awaitable[Wiki]]


@pytest.fixture
async def start_wiki() -> AsyncIterator[StartWiki]:
    """Return a function that starts a mock with a result limit in bytes."""
    wikis = WikiTable.load()
    samples = {"de": GERMAN, "yue": CANTONESE, "en": ENGLISH, "fr": FRENCH, "he": HEBREW}
    history = SampleHistory.read(((f"{name}.yaml", sample) for name, sample in samples.items()), wikis)
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
