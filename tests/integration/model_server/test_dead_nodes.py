"""A node that dies without a word costs the request that finds it dead a time-out, and no request its answer."""

import asyncio
from typing import Any

from revertrisk.wiki.table import WikiTable
from tests.fakes.clients import STREAM, Client, StartServer
from tests.fakes.tcp_proxies import DyingNode, proxying
from tests.fakes.wikis import page, serving_wikis
from tests.integration.model_server.test_every_wikipedia import edit_on

WIKIS = ("cswiki", "dawiki", "dewiki", "enwiki", "eswiki", "fiwiki", "frwiki", "itwiki", "nlwiki", "plwiki")
EDITS_LATER = 5


def edit(wiki_id: str, page_id: int) -> dict[str, Any]:
    wiki = WikiTable.load().by_id(wiki_id)
    assert wiki is not None
    event = edit_on(wiki_id, wiki.domain)
    event["page"] |= {"page_id": page_id, "page_title": f"Page_{page_id}"}
    event["revision"] |= {"rev_id": 100 + page_id, "rev_parent_id": 200 + page_id}
    return {"event": event}


async def test_u2_events_are_produced_though_all_kept_connections_are_dead(
    client: Client, start_server: StartServer, gate: str
) -> None:
    """Ten to MediaWiki, since all wikis are one origin, and as many to EventGate: one of each is tried."""
    pages = [page(number, 200 + number, 100 + number) for number in range(1, EDITS_LATER + 2)]
    with serving_wikis(dict.fromkeys(WIKIS, pages)) as wiki:
        wikis, gates = DyingNode(wiki), DyingNode(gate)
        async with proxying(wikis) as wiki_url, proxying(gates) as gate_url:
            with start_server(
                WIKI_URL=wiki_url,
                EVENTGATE_URL=gate_url,
                EVENTGATE_STREAM=STREAM,
                AIOHTTP_CLIENT_TIMEOUT="1",
            ) as program:
                wikis.wait_for(len(WIKIS))
                gates.wait_for(len(WIKIS))
                replies = await asyncio.gather(
                    *(client.predict(program.url, edit(wiki_id, 1)) for wiki_id in WIKIS)
                )
                assert [reply.outcome for reply in replies] == ["produced"] * len(WIKIS)
                wikis.die()
                gates.die()
                for number in range(2, EDITS_LATER + 2):
                    reply = await client.predict(program.url, edit("enwiki", number))
                    assert (reply.status, reply.outcome) == (200, "produced")
                assert (wikis.swallowed, gates.swallowed) == (1, 1)
