"""U5: the tools behind a proxy that asks for a password: events and wikis through it, the model server past it."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from aiohttp import web

from tests.fakes.connect_proxy import CREDENTIALS, proxied
from tests.fakes.dispatchers import StartDispatcher
from tests.fakes.event_stream import EventStream
from tests.fakes.loopback import serving
from tests.fakes.scripted_http import ScriptedServer
from tests.integration.dispatcher.workplace import RULE, event

PASSWORD = CREDENTIALS.partition(":")[2]
WIKIS = """
import asyncio, urllib.error, urllib.request
from revertrisk.backfill.limiter import RateLimiter
from revertrisk.backfill.wiki_api import open_wiki_api
from revertrisk.wiki.relay import has_proxy_for_wikis, wiki_relay
from revertrisk.wiki.table import WikiTable

wikis = WikiTable.load()
assert has_proxy_for_wikis(wikis)

async def query():
    async with open_wiki_api(RateLimiter(5), user_agent="test/1", wiki_url=None) as api:
        return await api.query(wikis.by_id("dewiki"), {"meta": "siteinfo"})

print(asyncio.run(query())["query"]["host"])
directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with wiki_relay(wikis) as url:
    for host in ("en.wikipedia.org", "example.org"):
        request = urllib.request.Request(url + "/w/api.php?a=%C3%A4", b"b=c", {"Host": host, "User-Agent": "relayed/1"})
        try:
            print(directly.open(request).read().decode())
        except urllib.error.HTTPError as error:
            print(error.code)
"""


@pytest.mark.parametrize(
    ("stream", "asked"),
    [
        ("https://stream.example.org/v2/stream/x", "CONNECT stream.example.org:443"),
        ("http://stream.example.org/v2/stream/x", "GET http://stream.example.org/v2/stream/x"),
    ],
)
async def test_u5_the_dispatcher_reads_through_it_and_sends_past_it(
    model_server: ScriptedServer,
    start_dispatcher: StartDispatcher,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    stream: str,
    asked: str,
) -> None:
    """U5: by a tunnel for https; the target, which the proxy could reach as well, is asked directly."""
    (tmp_path / "rule.yaml").write_text(RULE)
    events = EventStream([json.dumps(event(number)).encode() for number in range(3)])
    with serving(events.app()) as url:
        async with proxied(url, tmp_path) as (proxy, environment):
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            dispatcher = await start_dispatcher(
                model_server.url, f"eventstreams:{stream}", limit=3, log="DEBUG"
            )
            status, summary, log = await dispatcher.finished()
    assert (status, summary["outcomes"]) == (0, {"produced": 3}), log
    assert {request.partition("?")[0] for request in proxy.asked} == {asked}
    assert PASSWORD not in log + json.dumps(summary)


async def test_u5_wikis_are_reached_through_it(tmp_path: Path) -> None:
    """U5: by a backfill, and by the servers of the demo, whose relay goes to wikis only."""

    async def answer(request: web.Request) -> web.Response:
        agent, body = request.headers["user-agent"], await request.text()
        return web.json_response(
            {"query": {"host": request.host, "path": request.path_qs, "agent": agent, "body": body}}
        )

    app = web.Application()
    app.router.add_post("/w/api.php", answer)
    with serving(app) as url:
        async with proxied(url, tmp_path) as (proxy, environment):
            program = await asyncio.create_subprocess_exec(
                *(sys.executable, "-W", "error", "-c", WIKIS),
                env={**os.environ, **environment},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await program.communicate()
    assert (program.returncode, err.decode()) == (0, "")
    asked, relayed, refused = out.decode().splitlines()
    assert (asked, refused) == ("de.wikipedia.org", "403")
    assert json.loads(relayed)["query"] == {
        "host": "en.wikipedia.org",
        "path": "/w/api.php?a=%C3%A4",
        "agent": "relayed/1",
        "body": "b=c",
    }
    assert proxy.asked == ["CONNECT de.wikipedia.org:443", "CONNECT en.wikipedia.org:443"]


async def test_u5_a_proxy_that_refuses_is_named(
    model_server: ScriptedServer,
    start_dispatcher: StartDispatcher,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """U5: without its password, the log says that it was the proxy, and what it answered."""
    (tmp_path / "rule.yaml").write_text(RULE)
    async with proxied(model_server.url, tmp_path) as (proxy, environment):
        monkeypatch.setenv("HTTPS_PROXY", environment["HTTPS_PROXY"].replace(PASSWORD, "wrong"))
        dispatcher = await start_dispatcher(
            model_server.url, "eventstreams:https://stream.example.org/v2/stream/x", log="DEBUG"
        )
        while len(proxy.asked) < 2:
            await asyncio.sleep(0.05)
        _, _, log = await dispatcher.stop()
    assert "the proxy answers 407" in log
    assert "wrong" not in log
