"""The dashboard's routes, without a browser; and how its program ends."""

import asyncio
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from revertrisk.dashboard import feed
from revertrisk.dashboard.app import DashboardSettings, create_app
from revertrisk.dashboard.freshness import Arrivals
from revertrisk.dashboard.open_edits import OpenEdits
from revertrisk.dashboard.surges import Surges
from revertrisk.lake import Reader
from revertrisk.reports.intervals import MIN_PAGES
from revertrisk.runtime.web_server import serving_app
from revertrisk.wiki.table import WikiTable
from tests.fakes.lake_events import MULTILINGUAL, WIKIS, edits, page_change, prediction
from tests.fakes.lakes import filled_lake
from tests.fakes.streamed_edits import AGNOSTIC, NOW, page_changed, scored
from tests.integration.dashboard.program import COMMAND, ROOT, DashboardProgram

SQL_CHARTS = ["edits", "bots_and_humans", "at_risk", "busiest_pages", "freshness"]


class Server:
    """A dashboard in this process."""

    def __init__(self, session: aiohttp.ClientSession, url: str, edits: OpenEdits) -> None:
        self.session = session
        self.url = url
        self.edits = edits

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """Return status and document of an answer."""
        async with self.session.get(f"{self.url}/{path}", headers=headers) as answer:
            return answer.status, await answer.json()

    async def messages(self, query: str = "") -> AsyncIterator[dict[str, Any]]:
        """Yield the messages of the feed."""
        async with self.session.get(f"{self.url}/feed{query}") as answer:
            assert answer.content_type == "text/event-stream"
            async for line in answer.content:
                if line.startswith(b"data: "):
                    yield orjson.loads(line[6:])


async def _server(**settings: Any) -> AsyncIterator[Server]:
    wikis = WikiTable.load()
    chosen = DashboardSettings(sources=(), **settings)
    edits = OpenEdits(wikis, chosen.thresholds.of, hours=24)
    surges = Surges(chosen.surges)
    surges.refresh()
    app = create_app(edits, chosen, wikis, surges, Arrivals())
    async with serving_app(app, "127.0.0.1", 0) as url, aiohttp.ClientSession() as session:
        yield Server(session, url, edits)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async for each in _server():
        yield each


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    known = list(edits(400, days=2))
    events = [page_change(edit) for edit in known]
    events += [prediction(edit, model) for edit in known[20:] for model in (AGNOSTIC, MULTILINGUAL)]
    return filled_lake(tmp_path_factory.mktemp("lake"), events)


@pytest.fixture
async def with_lake(lake: str) -> AsyncIterator[Server]:
    async for each in _server(lake=lake):
        yield each


async def test_page_and_its_files(server: Server) -> None:
    """The page and every file that it names are served under a policy that allows nothing from elsewhere."""
    async with server.session.get(server.url) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        html = await answer.text()
    names = set(re.findall(r'(?:href|src)="page/([^"]+)"', html))
    assert {"main.js", "page.css", "dashboard.css", "uPlot.iife.min.js", "uPlot.min.css", "icon.svg"} == names
    seen: set[str] = set()
    while names - seen:
        name = (names - seen).pop()
        seen.add(name)
        async with server.session.get(f"{server.url}/page/{name}") as answer:
            assert answer.status == 200, name
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            names |= set(re.findall(r' from "\./([^"]+)"', await answer.text()))
    assert {"risk.js", "cards.js", "reasons.js"} <= seen


@pytest.mark.parametrize("path", ["", "page/main.js", "feed", "charts", "charts/edits", "reasons", "healthz"])
async def test_other_peoples_pages_are_refused(server: Server, path: str) -> None:
    """Whoever asks by a foreign name, or from a foreign page, gets nothing but the reason."""
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        status, document = await server.get(path, **headers)
        assert (status, list(document)) == (403, ["error"])
    status, _ = await server.get("healthz", Host="localhost", Origin="http://localhost")
    assert status == 200


async def test_feed_tells_what_changes(server: Server) -> None:
    """The first message has all cards; a later one has what is new and the order, and what is not in it has left."""
    server.edits.take(scored(1, 0.9))
    async with aclosing(server.messages()) as messages:
        first = await anext(messages)
        assert first["begin"] is True
        assert [card["key"] for card in first["put"]] == first["order"] == ["enwiki 1"]
        assert first["put"][0]["link"] == "https://en.wikipedia.org/w/index.php?diff=1"
        assert (first["total"], first["models"], first["model"]) == (1, [AGNOSTIC], AGNOSTIC)
        server.edits.take(scored(2, 0.8, page_id=8))
        server.edits.take(page_changed(3, undoes=(1, 1)))
        second = await anext(messages)
        assert (second["order"], [card["revId"] for card in second["put"]]) == (["enwiki 2"], [2])
        assert second["reverted"] == {"edits": 1, "by_bots": 0, "in_hours": 24}
        assert second["gone"] == {"enwiki 1": "reverted"}
        assert "models" not in second
        assert "begin" not in second


async def test_feed_is_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page shows so many cards and says how many there are; so many pages are served at once."""
    monkeypatch.setattr(feed, "MAX_SHOWN", 3)
    monkeypatch.setattr(feed, "MAX_PAGES", 1)
    for number in range(1, 9):
        server.edits.take(scored(number, 0.9, page_id=number))
    async with aclosing(server.messages("?order=worst")) as messages:
        first = await anext(messages)
        assert (len(first["put"]), first["total"]) == (3, 8)
        async with server.session.get(f"{server.url}/feed") as answer:
            assert answer.status == 503


async def test_no_lake_no_charts(server: Server) -> None:
    """Without a lake there are no charts."""
    assert await server.get("charts") == (200, {"charts": []})
    async with server.session.get(f"{server.url}/charts/edits") as answer:
        assert answer.status == 404


@pytest.mark.parametrize("name", SQL_CHARTS)
@pytest.mark.parametrize(
    "query", ["hours=168", "hours=24&wiki=enwiki", f"hours=168&model={MULTILINGUAL}&user=ip"]
)
async def test_numbers_are_those_of_the_sql_that_is_shown(
    with_lake: Server, lake: str, name: str, query: str
) -> None:
    """The SQL that comes with a chart gives the chart's rows, run by itself over the lake."""
    status, answer = await with_lake.get(f"charts/{name}?{query}")
    assert status == 200
    cursor = Reader(lake).query(answer["sql"])
    names, rows = [column[0] for column in cursor.description or ()], cursor.fetchall()
    assert rows
    places = [answer["columns"].index(name) for name in names]
    told = [[row[place] for place in places] for row in answer["rows"]]
    assert told == [
        [each.timestamp() if hasattr(each, "timestamp") else each for each in row] for row in rows
    ]


async def test_charts_count_what_there_is(with_lake: Server) -> None:
    """Over all time the charts hold every edit: by minutes, wikis and kinds of users, with or without prediction."""
    answers = {name: (await with_lake.get(f"charts/{name}?hours=720"))[1] for name in SQL_CHARTS}
    minutes = answers["edits"]["bin_s"] / 60
    assert sum(row[1] for row in answers["edits"]["rows"]) * minutes == pytest.approx(400)
    assert sum(sum(row[1:]) for row in answers["bots_and_humans"]["rows"]) * minutes == pytest.approx(400)
    at_risk = [
        dict(zip(answers["at_risk"]["columns"], row, strict=True)) for row in answers["at_risk"]["rows"]
    ]
    assert [row["wiki_id"] for row in at_risk].index("all") == 0
    for name in ("edits", "above_threshold", "pages"):
        assert at_risk[0][name] == sum(row[name] for row in at_risk[1:])
    assert at_risk[0]["edits"] == 380
    assert answers["at_risk"]["languages"]["eswiki"] == "es"
    freshness = dict(zip(answers["freshness"]["columns"], answers["freshness"]["rows"][0], strict=True))
    assert (freshness["predicted"], freshness["missing"] + freshness["not_to_be_scored"]) == (380, 20)
    assert freshness["median_seconds"] == 1.0


async def test_what_can_be_chosen(with_lake: Server) -> None:
    """The lake's wikis and models can be chosen, and nothing else; a wiki without edits has none."""
    _, choices = await with_lake.get("charts")
    assert choices["charts"] == [*SQL_CHARTS, "outcomes"]
    assert "enwiki" in choices["wikis"]
    assert choices["models"] == [AGNOSTIC, MULTILINGUAL]
    assert (await with_lake.get("charts/edits?wiki=nnwiki"))[1]["rows"] == []
    assert await with_lake.get("charts/edits?wiki=x'--") == (
        400, {"error": "wiki: expected a wiki_id such as enwiki"}
    )  # fmt: skip
    async with with_lake.session.get(f"{with_lake.url}/charts/choices") as answer:
        assert answer.status == 404


async def test_many_ask_at_once(with_lake: Server) -> None:
    """Those who choose alike share one answer."""
    answers = await asyncio.gather(*(with_lake.get("charts/at_risk?hours=720") for _ in range(40)))
    assert {status for status, _ in answers} == {200}


async def test_a_lake_that_comes_later(tmp_path: Path) -> None:
    """Charts wait for a lake that is not there yet, and say so."""
    async for server in _server(lake=str(tmp_path / "lake")):
        assert await server.get("charts") == (503, {"error": "the lake does not exist yet"})


def ended(*arguments: str) -> tuple[int, str]:
    """Return the status and the errors of a dashboard that does not run on."""
    command = [*COMMAND, "--port", "0", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def test_a_source_that_breaks(tmp_path: Path) -> None:
    """The program ends with 1 when a source breaks, and names it."""
    status, errors = ended("--source", f"jsonl:{tmp_path / 'none.jsonl'}")
    assert (status, "none.jsonl: cannot be opened" in errors) == (1, True)


def test_flags_that_cannot_be_used(tmp_path: Path) -> None:
    """A source, an address or a server that cannot be used ends it with 2, a folder that is no lake with 78."""
    assert ended("--source", "ftp:x")[0] == 2
    status, errors = ended("--source", "jsonl:-", "--explain-by", "m=ftp://x")
    assert (status, "expected MODEL=URL" in errors) == (2, True)
    (tmp_path / "something").write_text("else")
    assert ended("--source", "jsonl:-", "--lake", str(tmp_path))[0] == 78


def test_ends_by_a_signal() -> None:
    """SIGTERM ends it with 0, also while a page is open and a pipe stays open."""
    with DashboardProgram() as program:
        program.tell(scored(1, 0.9, at=NOW))
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(20) == 0


COUNTED = """
SELECT count(*), avg(
    CASE WHEN o.seconds_to_revert <= {horizon_hours} * 3600 AND NOT coalesce(o.is_self, FALSE) THEN 1 ELSE 0 END
)
FROM prediction_current p JOIN outcome o ON p.wiki_id = o.wiki_id AND p.rev_id = o.rev_id
WHERE p.probability > 0.5
"""


IN_HOURS = """
SELECT count(*) FROM prediction_current p JOIN revision e ON p.wiki_id = e.wiki_id AND p.rev_id = e.rev_id
WHERE p.probability > 0.5 AND e.dt >= (SELECT max(dt) FROM revision WHERE kind IS NOT NULL) - INTERVAL {hours} HOUR
    AND e.user_kind LIKE '{user}%'
"""
REMADE = """
SELECT count(*), avg(CASE WHEN reverted_after_s <= 48 * 3600 AND reverted_by <> 'the author' THEN 1 ELSE 0 END)
FROM ({})
"""


@pytest.fixture
def matured_lake(tmp_path: Path) -> str:
    """Return a lake with two days of edits, and one edit of each wiki twenty days later."""
    known = list(edits(3000, days=2))
    later = replace(
        known[0], page_id=9_999, rev_id=1, parent_id=0, moment=known[0].moment + timedelta(days=20)
    )
    events = [page_change(edit) for edit in (*known, *(replace(later, wiki_id=wiki) for wiki in WIKIS))]
    return filled_lake(tmp_path, [*events, *(prediction(edit) for edit in known)])


async def test_share_reverted_so_far(matured_lake: str) -> None:
    """Where all edits are older than a horizon, the share is what counting gives; else it says when it is final."""
    async for server in _server(lake=matured_lake):
        status, answer = await server.get("charts/outcomes?hours=720")
        assert status == 200
        rows = [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]
        assert [row["horizon_hours"] for row in rows] == [48, 168, 720]
        for row in rows[:2]:
            flagged, share = Reader(matured_lake).query(COUNTED.format(**row)).fetchall()[0]
            assert (row["edits"], row["share_reverted"]) == (flagged, pytest.approx(share))
            assert row["low"] < share < row["high"]
            assert row["younger"] == 0
        assert rows[2]["share_reverted"] is None
        assert rows[2]["note"].startswith("too young")
        assert rows[2]["younger"] == rows[2]["edits"]
        made = Reader(matured_lake).query(REMADE.format(answer["sql"])).fetchall()
        assert made == [(rows[0]["edits"], pytest.approx(rows[0]["share_reverted"]))]
        _, of_few = await server.get("charts/outcomes?hours=720&wiki=enwiki&user=ip")
        assert any("too few" in str(row[-1]) for row in of_few["rows"])


async def test_shares_at_risk_have_intervals(with_lake: Server) -> None:
    """A share has an interval around it where there are pages enough for one."""
    _, answer = await with_lake.get("charts/at_risk?hours=720")
    rows = [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]
    for row in rows:
        is_enough = row["effective_pages"] >= MIN_PAGES
        assert [row[name] is not None for name in ("share", "standard_error", "low", "high")] == [
            is_enough
        ] * 4
        assert not is_enough or row["low"] <= row["share"] <= row["high"]
    assert {row["low"] is None for row in rows} == {True, False}


@pytest.mark.parametrize("user", ["", "registered", "ip"])
async def test_outcomes_are_of_the_chosen_hours_and_users(matured_lake: str, user: str) -> None:
    """The last hour has the edits of an hour and not of a day, in the figures and in the SQL that is shown."""
    async for server in _server(lake=matured_lake):
        for hours in (1, 24, 720):
            _, answer = await server.get(f"charts/outcomes?hours={hours}&user={user}")
            counted = Reader(matured_lake).query(IN_HOURS.format(hours=hours, user=user)).fetchall()[0][0]
            assert {row[2] for row in answer["rows"]} == {counted}
            made = Reader(matured_lake).query(answer["sql"])
            names = [column[0] for column in made.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in made.fetchall()]
            assert len(rows) == counted
            assert all(row["probability"] > row["threshold"] for row in rows)
            assert {row["reverted_by"] for row in rows} <= {None, "the author", "a bot", "another user"}
            assert user != "ip" or {row["user_kind"] for row in rows} <= {"ip"}
        assert counted > 100


@pytest.fixture
def old_lake(tmp_path: Path) -> str:
    """Return a lake with edits that are so old that their actor keys are removed."""
    old = [replace(each, moment=each.moment - timedelta(days=400)) for each in edits(300, days=2, pages=9)]
    return filled_lake(tmp_path, [page_change(each) for each in old])


async def test_removed_keys_are_not_counted_as_no_users(old_lake: str) -> None:
    """The number of users is null when actor keys were removed by age, and the page with most edits is first."""
    async for server in _server(lake=old_lake):
        _, answer = await server.get("charts/busiest_pages?hours=720")
        rows = [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]
        assert {row["people"] for row in rows} == {None}
        numbers = [row["edits"] for row in rows]
        assert numbers == sorted(numbers, reverse=True)


KNOWN = list(edits(200, days=2, pages=9))
OF_OTHERS = [each for each in KNOWN if each.wiki_id != "enwiki"]


@pytest.fixture
def lake_without_enwiki(tmp_path: Path) -> str:
    """Return a lake with predictions for other wikis than enwiki, but not for their last ten edits."""
    events = [page_change(each) for each in KNOWN] + [prediction(each) for each in OF_OTHERS[:-10]]
    return filled_lake(tmp_path, events)


async def test_wikis_that_a_model_does_not_score_have_their_own_column(lake_without_enwiki: str) -> None:
    """Their edits are not missing; an edit of a wiki with predictions is."""
    async for server in _server(lake=lake_without_enwiki):
        _, answer = await server.get("charts/freshness?hours=720")
        (row,) = [dict(zip(answer["columns"], each, strict=True)) for each in answer["rows"]]
        of_enwiki = [each for each in KNOWN if each.wiki_id == "enwiki" and each.parent_id]
        assert row["on_unscored_wikis"] == len(of_enwiki) > 0
        assert row["missing"] == sum(1 for each in OF_OTHERS[-10:] if each.parent_id) > 0


BY_VERSION = "SELECT model_version, count(*) FROM ({}) GROUP BY ALL ORDER BY ALL"


@pytest.fixture
def lake_of_two_versions(tmp_path: Path) -> str:
    """Return a lake with predictions of two versions of a model."""
    events = [page_change(each) for each in KNOWN]
    events += [prediction(each, version=version) for each in KNOWN for version in ("3", "4")]
    return filled_lake(tmp_path, events)


async def test_one_query_for_all_versions_of_a_model(lake_of_two_versions: str) -> None:
    """The SQL of the share reverted is one query, with a row for each edit and version."""
    async for server in _server(lake=lake_of_two_versions):
        _, answer = await server.get("charts/outcomes?hours=720")
        made = Reader(lake_of_two_versions).query(BY_VERSION.format(answer["sql"]))
        assert [(row[0], row[2]) for row in answer["rows"][::3]] == made.fetchall()
        assert len(answer["rows"]) == 6
