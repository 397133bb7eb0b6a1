"""``demo --live`` reads EventStreams and the wikis' API; here the mocks stand for both, and note how it behaves."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest
import urllib3
from aiohttp import web

from mock_mediawiki.page_changes import page_changes
from mock_mediawiki.samples import SampleHistory
from revertrisk.cli.programs import running
from revertrisk.wiki.table import WikiTable
from tests.fakes.connect_proxy import proxied
from tests.fakes.loopback import serving

CONTACT = "reader@example.org"
LIMIT = 6
BETWEEN_EVENTS = 0.02
"""Seconds: fifty edits a second is more than the demo may take."""


@dataclass
class Edits:
    """An EventStreams that tells the sample edits over and over, as if each were a new one."""

    user_agents: list[str] = field(default_factory=list)
    told: int = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v2/stream/mediawiki.page_change.v1", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.user_agents.append(request.headers["user-agent"])
        wikis = WikiTable.load()
        events = list(page_changes(SampleHistory.shipped(wikis), wikis))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        while True:
            for event in events:
                self.told += 1
                event["meta"]["id"] = f"00000000-0000-4000-8000-{self.told:012}"
                place = [{"topic": "eqiad.mediawiki.page_change.v1", "partition": 0, "offset": self.told}]
                await response.write(
                    b"event: message\nid: %s\ndata: %s\n\n"
                    % (json.dumps(place).encode(), orjson.dumps(event))
                )
                await asyncio.sleep(BETWEEN_EVENTS)


@pytest.fixture
def wiki(tmp_path: Path) -> Iterator[str]:
    with running(["mock-mediawiki", "--port", "0"], tmp_path / "wiki.log") as program:
        yield program.url


def demo(*flags: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "revertrisk.cli.app", "demo", "--live", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200"} | environment,
        process_group=0,
    )


@pytest.mark.ci("demos")
def test_it_is_a_polite_guest(wiki: str) -> None:
    """It names its contact everywhere, reads one stream, drops most edits, and asks a wiki at most thrice at a time."""
    edits = Edits()
    with serving(edits.app()) as streams:
        stream = f"{streams}/v2/stream/mediawiki.page_change.v1"
        flags = ("--contact", CONTACT, "--limit", str(LIMIT), "--wiki-url", wiki, "--stream-url", stream)
        with demo(*flags) as process:
            output, _ = process.communicate(timeout=110)
    assert process.returncode == 0, output
    assert f"{LIMIT} events read" in output
    assert "0 failed" in output
    assert edits.told > 2 * LIMIT
    assert len(edits.user_agents) == 1
    stats = urllib3.request("GET", f"{wiki}/_mock/stats").json()
    assert 0 < stats["most_in_flight"] <= 3
    for agent in (*edits.user_agents, *stats["user_agents"]):
        assert CONTACT in agent
    assert set(stats["hosts"]) <= {each.domain for each in WikiTable.load()}


@pytest.mark.ci("demos")
async def test_u5_behind_a_proxy_its_servers_reach_the_wikis(wiki: str, tmp_path: Path) -> None:
    """U5: they read no proxy themselves, so the demo relays; a stream on loopback is read directly."""
    with serving(Edits().app()) as streams:
        stream = f"{streams}/v2/stream/mediawiki.page_change.v1"
        async with proxied(wiki, tmp_path) as (proxy, environment):
            with demo(
                *("--contact", CONTACT, "--limit", str(LIMIT), "--stream-url", stream), **environment
            ) as process:
                output, _ = await asyncio.to_thread(process.communicate, timeout=110)
    assert process.returncode == 0, output
    assert "0 failed" in output
    assert proxy.asked
    assert all(asked.endswith(".wikipedia.org:443") for asked in proxy.asked)
    stats = (await asyncio.to_thread(urllib3.request, "GET", f"{wiki}/_mock/stats")).json()
    assert all(CONTACT in agent for agent in stats["user_agents"])


@pytest.mark.ci("demos")
def test_a_signal_ends_it_with_a_summary(wiki: str) -> None:
    """T5: Ctrl-C, which a terminal sends to the whole group, finishes what is in flight and is no failure."""
    edits = Edits()
    with serving(edits.app()) as streams:
        stream = f"{streams}/v2/stream/mediawiki.page_change.v1"
        with demo("--contact", CONTACT, "--wiki-url", wiki, "--stream-url", stream) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(("█", "·", "-")):
                    break
            os.killpg(process.pid, signal.SIGINT)
            rest = process.stdout.read()
            assert process.wait(60) == 0, rest
    assert "0 failed" in rest


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ((), "--contact: expected"),
        (("--contact", "somebody"), "--contact: expected"),
        (("--contact", "a@b.org\r\nX-Evil: 1"), "--contact: expected"),
        (("--contact", "a@b.org) (c"), "--contact: expected"),
        (("--contact", CONTACT, "--wiki-url", "127.0.0.1:8193"), "--wiki-url: expected"),
        (("--contact", CONTACT, "--stream-url", "file:///etc/passwd"), "--stream-url: expected"),
        (("--contact", CONTACT, "--chaos"), "--live: cannot be used with --chaos"),
    ],
)
def test_flags_that_cannot_work_are_refused(flags: tuple[str, ...], reason: str) -> None:
    """Nothing starts, nothing is read; the flag is named, and what was expected."""
    with demo(*flags) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert output.startswith(f"revertrisk: {reason}")
    assert "Starting" not in output
