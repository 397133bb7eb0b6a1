"""All 342 open public Wikipedias and the two test wikis: the right host asked, the right wiki answered."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.clients import STREAM, Client, StartServer
from tests.fakes.wikis import page, serving_wikis

ALIASES = {
    "be-tarask": "be_x_oldwiki",
    "be-x-old": "be_x_oldwiki",
    "be_x_old": "be_x_oldwiki",
    "nb": "nowiki",
    "no": "nowiki",
    "yue": "zh_yuewiki",
    "zh-yue": "zh_yuewiki",
    "nan": "zh_min_nanwiki",
    "zh-min-nan": "zh_min_nanwiki",
    "lzh": "zh_classicalwiki",
    "zh-classical": "zh_classicalwiki",
    "gsw": "alswiki",
    "als": "alswiki",
    "sgs": "bat_smgwiki",
    "bat-smg": "bat_smgwiki",
    "vro": "fiu_vrowiki",
    "fiu-vro": "fiu_vrowiki",
    "rup": "roa_rupwiki",
    "roa-rup": "roa_rupwiki",
    "simple": "simplewiki",
    "test": "testwiki",
    "test2": "test2wiki",
}
Wikis = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def wikipedias(shared: Path) -> Wikis:
    """Return the facts of every wiki that must be scored, by wiki_id."""
    with (shared / "data/wikis.tsv").open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return {
        row["database_code"]: row
        for row in rows
        if (row["database_group"], row["status"], row["visibility"]) == ("wikipedia", "open", "public")
        or row["database_code"] in {"testwiki", "test2wiki"}
    }


@pytest.fixture(scope="module")
def wiki(wikipedias: Wikis) -> Iterator[str]:
    with serving_wikis({wiki_id: [page(1, 10, 11)] for wiki_id in wikipedias}) as url:
        yield url


@pytest.fixture(scope="module")
def server(start_server: StartServer, gate: str, wiki: str) -> Iterator[str]:
    with start_server(WIKI_URL=wiki, EVENTGATE_URL=gate, EVENTGATE_STREAM=STREAM) as program:
        yield program.url


def edit_on(wiki_id: str, domain: str) -> dict[str, Any]:
    return {
        "$schema": "/mediawiki/page/change/1.2.0",
        "meta": {"stream": "mediawiki.page_change.v1", "domain": domain, "request_id": wiki_id},
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "dt": "2024-01-02T00:00:00Z",
        "wiki_id": wiki_id,
        "page": {"page_id": 1, "page_title": "Page_1", "namespace_id": 0, "is_redirect": False},
        "revision": {"rev_id": 11, "rev_parent_id": 10, "rev_dt": "2024-01-02T00:00:00Z"},
    }


async def hosts_asked(client: Client, wiki: str) -> set[str]:
    stats = await client.get(f"{wiki}/_mock/stats")
    return set(stats["hosts"])


async def test_every_wikipedia_is_scored(
    client: Client, server: str, wiki: str, empty_gate: str, wikipedias: Wikis
) -> None:
    """E26, E27: 342 of 342, testwiki and test2wiki, one event each; the host comes from the table."""
    assert len(wikipedias) == 342 + 2
    for wiki_id, facts in wikipedias.items():
        reply = await client.predict(server, {"event": edit_on(wiki_id, facts["domain_name"])})
        assert (reply.status, reply.outcome, reply.body["wiki_db"]) == (200, "produced", wiki_id)
    assert await hosts_asked(client, wiki) == {facts["domain_name"] for facts in wikipedias.values()}
    accepted = await client.accepted(empty_gate)
    assert sorted(event["wiki_id"] for event in accepted) == sorted(wikipedias)


async def test_every_name_of_a_wikipedia_finds_it(client: Client, server: str, wikipedias: Wikis) -> None:
    """A direct call may name a wiki by language code, subdomain or wiki id."""
    for wiki_id, facts in wikipedias.items():
        for name in {wiki_id, facts["domain_name"].split(".")[0]}:
            reply = await client.predict(server, {"lang": name, "rev_id": 11})
            assert (reply.status, reply.body.get("wiki_db")) == (200, wiki_id), name


@pytest.mark.parametrize(("alias", "wiki_id"), ALIASES.items())
async def test_known_aliases_find_their_wiki(client: Client, server: str, alias: str, wiki_id: str) -> None:
    """E26: the names that users give these wikis."""
    reply = await client.predict(server, {"lang": alias, "rev_id": 11})
    assert (reply.status, reply.body.get("wiki_db")) == (200, wiki_id)
