"""Through kills, refusals and wrong clocks: one start and one end for each surge, none lost."""

import asyncio
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from revertrisk.alerts.replay import found_in
from revertrisk.alerts.settings import WatchSettings
from revertrisk.streams.opening import SourceSettings
from tests.fakes.edit_streams import Shape, Stream, page_change
from tests.fakes.loopback import serving

pytestmark = [pytest.mark.ci("kills"), pytest.mark.timeout(600)]

KILLS = 20
AT_ONCE = 400
WIKIS = ("enwiki", "dewiki")
TOPIC = "eqiad.mediawiki.page_change.v1"


def minute(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60


# 2030-03-31 is the Sunday on which Europe's clocks go forward, at 01:00 UTC.
SURGES = {
    "enwiki": [
        ("2030-03-27T12:00", "2030-03-27T13:30"),
        ("2030-03-28T23:20", "2030-03-29T00:50"),  # across midnight
        ("2030-03-31T23:10", "2030-04-01T00:50"),  # across the week's edge
    ],
    "dewiki": [
        ("2030-03-29T18:00", "2030-03-29T19:30"),
        ("2030-03-31T00:20", "2030-03-31T02:00"),  # across the change of the clocks
    ],
}
SILENT = ("2030-03-30T12:00", "2030-03-30T13:30")
"""No edits on dewiki."""
CHANGE = minute("2030-03-31T01:00")


def shape_of(wiki: str) -> Shape:
    surges = [(minute(begin), minute(end)) for begin, end in SURGES[wiki]]
    silent = tuple(map(minute, SILENT))

    def shape(now: int) -> float:
        local = now + 60 * (now >= CHANGE)  # people's habits move with their clocks
        hour = 1.3 if 6 <= local // 60 % 24 < 20 else 0.8
        if wiki == "dewiki" and silent[0] <= now < silent[1]:
            return 0.0
        return hour * (5.0 if any(begin <= now < end for begin, end in surges) else 1.0)

    return shape


def events() -> list[bytes]:
    """Return a week of edits, out of order by up to 5 s, some of whose clocks are wrong."""
    begin, end = minute("2030-03-25T00:00"), minute("2030-04-01T06:00")
    stream = Stream(
        begin,
        end - begin,
        {"enwiki": 6.0, "dewiki": 3.0, "other": 0.2},
        {wiki: shape_of(wiki) for wiki in WIKIS},
        disorder_s=5.0,
    )
    lines = list(stream.events())
    chance = random.Random(5)  # noqa: S311 - no secret
    at = datetime.fromisoformat("2030-03-30T06:00:00+00:00").timestamp()
    back = next(
        i
        for i, line in enumerate(lines)
        if datetime.fromisoformat(json.loads(line)["meta"]["dt"]).timestamp() >= at
    )
    lines[back:back] = [page_change("enwiki", at - 3600 + n, 2 * 10**6 + n, 8) for n in range(60)]
    for number in range(40):  # a producer whose clock is ahead by hours, and one whose clock has gone back
        where = chance.randrange(len(lines))
        wrong = json.loads(lines[where])["meta"]["dt"]
        moment = datetime.fromisoformat(wrong).timestamp()
        lines.insert(where, page_change("enwiki", moment + chance.choice((7200, 86_400)), 10**6 + number, 7))
    return lines


@dataclass
class Receiver:
    """Two webhooks, one as Slack's; every third request is refused."""

    copies: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)
    """By receiver, incident and kind: the run of the program in which each copy arrived."""
    life: int = 0
    requests: int = 0
    refused: Counter[int] = field(default_factory=Counter)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/json", self.take_json)
        app.router.add_post("/slack", self.take_slack)
        return app

    def _note(self, way: str, incident: str, kind: str) -> None:
        self.copies.setdefault((way, incident, kind), []).append(self.life)

    def _refusal(self) -> web.Response | None:
        self.requests += 1
        if self.requests % 3:
            return None
        status = 429 if self.requests % 2 else 503
        self.refused[status] += 1
        return web.Response(status=status, headers={"retry-after": "1"} if status == 429 else {})

    async def take_json(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal()) is not None:
            return refusal
        document = await request.json()
        self._note("json", document["incident_id"], document["kind"])
        return web.Response(text="thanks")

    async def take_slack(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal()) is not None:
            return refusal
        text = (await request.json())["text"]
        found = re.search(r"Incident (\S+)", text)
        assert found is not None
        is_end = " has ended" in text or "they arrive again" in text
        self._note("slack", found[1], "end" if is_end else "start")
        return web.Response(text="ok")


@dataclass
class Paced:
    """EventStreams, a few hundred events at a time, so that a reader can be killed among them."""

    lines: list[bytes]

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v2/stream/{stream}", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.StreamResponse:
        last_id = request.headers.get("last-event-id")
        start = json.loads(last_id)[0]["offset"] + 1 if last_id is not None else 0
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        for begin in range(start, len(self.lines), AT_ONCE):
            part = range(begin, min(begin + AT_ONCE, len(self.lines)))
            await response.write(b"".join(self._written(offset) for offset in part))
            await asyncio.sleep(0.1)
        await asyncio.Event().wait()
        return response

    def _written(self, offset: int) -> bytes:
        event_id = json.dumps([{"topic": TOPIC, "partition": 0, "offset": offset}])
        return b"event: message\nid: %s\ndata: %s\n\n" % (event_id.encode(), self.lines[offset])


def started(folder: Path, stream: str, hooks: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "revertrisk.cli.app",
        "surge",
        "run",
        "--source",
        f"eventstreams:{stream}/v2/stream/x",
    ]
    command += [
        "--wiki",
        "enwiki",
        "--wiki",
        "dewiki",
        "--state",
        "state.sqlite",
        "--webhook",
        f"{hooks}/json",
    ]
    environment = os.environ | {"SLACK_WEBHOOK_URL": f"{hooks}/slack"}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)


def place_in(folder: Path) -> str | None:
    if not (folder / "state.sqlite").exists():
        return None
    database = sqlite3.connect(f"file:{folder / 'state.sqlite'}?mode=ro", uri=True)
    try:
        row = database.execute("SELECT place FROM place").fetchone()
    except sqlite3.OperationalError:  # it is being made
        return None
    finally:
        database.close()
    return None if row is None else str(row[0])


async def test_each_surge_has_one_start_and_one_end(tmp_path: Path) -> None:
    """After 20 kills at any moment, each start and each end has arrived; a second copy comes after a kill only."""
    lines = events()
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    watched = WatchSettings(wikis=frozenset(WIKIS))
    expected = await found_in([f"jsonl:{tmp_path}/events.jsonl"], watched, SourceSettings())
    found = {
        wiki: [(each.since, each.ended) for each in expected if (each.scope, each.series) == (wiki, "edits")]
        for wiki in WIKIS
    }
    for wiki, surges in SURGES.items():
        assert len(found[wiki]) == len(surges), (wiki, found)
        for (since, ended), (begin, end) in zip(sorted(found[wiki]), sorted(surges), strict=True):
            assert abs(since - minute(begin)) <= 3
            assert ended is not None
            assert minute(begin) < ended <= minute(end) + 60
    (silence,) = (each for each in expected if each.series == "silence")
    assert (silence.scope, silence.since - minute(SILENT[0]), silence.ended) == (
        "dewiki",
        pytest.approx(0, abs=2),
        pytest.approx(minute(SILENT[1]), abs=2),
    )
    due = {
        (way, each.id, kind) for each in expected for kind in ("start", "end") for way in ("json", "slack")
    }

    chance = random.Random(9)  # noqa: S311 - no secret
    receiver = Receiver()
    with serving(Paced(lines).app()) as stream, serving(receiver.app()) as hooks:
        for _ in range(KILLS):
            before, asked = place_in(tmp_path), receiver.requests
            receiver.life += 1
            process = started(tmp_path, stream, hooks)
            by_message = chance.random() < 0.5  # half of them in the middle of a message, if one comes
            while place_in(tmp_path) == before:
                assert process.poll() is None, (tmp_path / "log").read_text()
                await asyncio.sleep(0.02)
            until = time.monotonic() + chance.uniform(0, 1.5)
            while time.monotonic() < until and not (by_message and receiver.requests > asked):
                await asyncio.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            process.wait()
        receiver.life += 1
        process = started(tmp_path, stream, hooks)
        while not due <= receiver.copies.keys() or f'offset\\":{len(lines) - 1}' not in str(
            place_in(tmp_path)
        ).replace(" ", ""):
            assert process.poll() is None, (tmp_path / "log").read_text()
            await asyncio.sleep(0.1)
        process.terminate()
        assert process.wait() == 0
    assert set(receiver.copies) == due
    for lives in receiver.copies.values():  # a second copy comes after a kill, in a later life of the program
        assert lives == sorted(set(lives))
    assert sum(len(lives) for lives in receiver.copies.values()) <= len(due) + KILLS
    assert set(receiver.refused) == {429, 503}
