"""docs/STREAM.md: every claim has a test that exists, every reason is explained, every example works."""

import ast
import asyncio
import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from mock_eventgate import listening
from revertrisk.consumer import Consumer, Delivery, ShownEdits
from revertrisk.event_platform.page_change import SkipReason
from revertrisk.event_platform.streams import (
    PAGE_CHANGE_STREAM,
    PREDICTION_SCHEMA_TITLE,
    PREDICTION_STREAMS,
)
from tests.fakes.clients import MODEL, STREAM
from tests.fakes.event_stream import EventStream
from tests.fakes.loopback import serving
from tests.unit.consumer.prediction_events import Event, hidden, make_event

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "STREAM.md").read_text(encoding="utf-8")
PROSE = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
FACTS = "Facts of the platform"
WITHOUT_CLAIMS = {"Examples"}
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
NAMED = re.compile(rf"Held by\s+{TEST.pattern}(?:,\s+{TEST.pattern})*\.$")
SOURCED = re.compile(r"Source: <https://[^>]+>(?:,\s+<https://[^>]+>)*\.$")


class Claim(NamedTuple):
    """One item of a list."""

    section: str
    text: str


def claims() -> Iterator[Claim]:
    """Yield every list item of the document with its section."""
    for section in re.split(r"^## ", PROSE, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        for item in re.findall(r"^- (.*(?:\n  .*)*)", body, flags=re.MULTILINE):
            yield Claim(title, item)


CLAIMS = list(claims())
NAMED_TESTS = sorted({found.groups() for found in TEST.finditer(TEXT)})


@cache
def functions_of(file: Path) -> set[str]:
    """Return the names of a file's test functions, without importing it."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: " ".join(claim.text.split()[:6]))
def test_every_claim_names_its_test_or_its_source(claim: Claim) -> None:
    """Each item of a list ends with the tests that hold it; a fact of the platform ends with its source."""
    assert (SOURCED if claim.section == FACTS else NAMED).search(claim.text), claim


@pytest.mark.parametrize(("file", "test"), NAMED_TESTS, ids="::".join)
def test_every_named_test_exists(file: str, test: str) -> None:
    """A test that is renamed or removed takes its claim with it."""
    assert (ROOT / file).is_file(), file
    assert test in functions_of(ROOT / file)


def test_every_section_claims_something() -> None:
    """No section is prose alone; list items stand nowhere but in sections."""
    sections = re.findall(r"^## (.*)$", PROSE, flags=re.MULTILINE)
    assert {claim.section for claim in CLAIMS} == set(sections) - WITHOUT_CLAIMS
    assert len(CLAIMS) == len(re.findall(r"^\s*[-*+] ", PROSE, flags=re.MULTILINE)) > 40


def test_every_reason_for_a_skip_is_explained() -> None:
    """The table has exactly the closed set of reasons, in the order of the code."""
    (table,) = re.findall(r"^\| reason \|.*\n\| ---.*\n((?:\|.*\n)+)", TEXT, flags=re.MULTILINE)
    assert re.findall(r"^\| `(\w+)` \| \S", table, flags=re.MULTILINE) == [
        reason.value for reason in SkipReason
    ]


def test_the_streams_are_those_that_are_configured() -> None:
    """The table names streams that exist, and the schema that they carry."""
    named = re.findall(r"^\| `revertrisk-[\w-]+` \| `(mediawiki\.[\w.]+)` \|$", TEXT, flags=re.MULTILINE)
    assert named == list(PREDICTION_STREAMS.values())
    assert f"`{PREDICTION_SCHEMA_TITLE}`" in TEXT


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)


def stored() -> list[Event]:
    """Return two months of events: revisions in no order, duplicates, two versions, a canary."""
    september, october = "2026-09-30T23:59:59Z", "2026-10-01T00:00:00Z"

    def event(rev_id: int, probability: float, version: int = 2, **changes: Any) -> Event:
        return make_event(
            meta__id=f"{rev_id}-{version}",
            meta__dt=changes.pop("received", september),
            revision__rev_id=rev_id,
            predicted_classification__model_version=f"revertrisk-events-{version}",
            predicted_classification__probabilities={"true": probability, "false": 1 - probability},
            **changes,
        )

    return [
        event(7, 0.5),
        event(5, 0.75),
        event(5, 0.75),
        event(6, 1.0, page__page_id=13),
        event(7, 0.25, version=3),
        event(8, 1.0, meta__domain="canary"),
        event(9, 1.0, received=october),
        event(4, 0.25, meta__domain=None, wiki_id="sewiki"),
    ]


@pytest.fixture
def lake() -> Iterator[sqlite3.Connection]:
    """A data lake in SQLite: structs are JSON, and the table has Hive's partitions."""
    connection = sqlite3.connect(":memory:")
    connection.execute("ATTACH ':memory:' AS event")
    columns = ("wiki_id", "page_change_kind", "meta", "page", "revision", "predicted_classification")
    table = "event.mediawiki_page_revert_risk_prediction_change_v1"
    connection.execute(f"CREATE TABLE {table} ({', '.join(columns)}, year, month)")
    for event in stored():
        values = [
            json.dumps(event[name]) if isinstance(event[name], dict) else event[name] for name in columns
        ]
        year, month = map(int, event["meta"]["dt"].split("-")[:2])
        connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, year, month))  # noqa: S608 - our own names
    yield connection
    connection.close()


def in_sqlite(sql: str) -> str:
    """Return Spark SQL with its access to struct fields and map entries as SQLite has it."""
    access = re.compile(r"\b(meta|page|revision|predicted_classification)\.(\w+)(?:\['(\w+)'\])?")
    return access.sub(
        lambda found: f"json_extract({found[1]}, '$.{'.'.join(filter(None, found.groups()[1:]))}')", sql
    )


def test_the_month_by_model_version(lake: sqlite3.Connection) -> None:
    """The first query counts each prediction of the month once, by version, without canaries."""
    assert lake.execute(in_sqlite(blocks("sql")[0])).fetchall() == [
        ("revertrisk-events-2", 4, 0.625, 1),
        ("revertrisk-events-3", 1, 0.25, 0),
    ]


def test_the_current_state_of_pages(lake: sqlite3.Connection) -> None:
    """The second query gives the rows that the consumer has of the same events."""
    rows = lake.execute(in_sqlite(blocks("sql")[1])).fetchall()
    assert rows == [("nnwiki", 12, 7, 0.5), ("nnwiki", 13, 6, 1.0), ("sewiki", 12, 4, 0.25)]
    with Consumer() as consumer:
        for event in stored():
            if (
                event["predicted_classification"]["model_version"].endswith("-2")
                and "-09-" in event["meta"]["dt"]
            ):
                consumer.take(Delivery(event))
        assert rows == [(row.wiki_id, row.page_id, row.rev_id, row.probability) for row in consumer.pages()]


def program(number: int) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(blocks("python")[number], "docs/STREAM.md", "exec"), names)  # noqa: S102 - it is the document that is tested
    return names


async def test_the_reader_of_hidings_runs_as_written(tmp_path: Path) -> None:
    """The second Python example reads three streams at once, removes what two of them hide, and resumes."""
    names = program(1)
    assert names["URL"].endswith(
        f"/v2/stream/{STREAM},{PAGE_CHANGE_STREAM},mediawiki.revision-visibility-change"
    )
    edits = [make_event(revision__rev_id=rev_id, revision__editor={"user_text": "Eva"}) for rev_id in (1, 2)]
    stream = EventStream([json.dumps(event).encode() for event in (*edits, hidden(1, user=False))])
    file = tmp_path / "shown.sqlite"

    async def keep_until(shown: list[str | None]) -> None:
        keeping = asyncio.create_task(names["keep"](f"{url}/v2/stream/x", file))
        while not keeping.done():
            await asyncio.sleep(0.01)
            with suppress(sqlite3.Error), ShownEdits(file) as found:
                if [edit.user for edit in found.above(0)] == shown:
                    keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping

    with serving(stream.app()) as url:
        await keep_until([None, "Eva"])
        stream.events.append(json.dumps(hidden(2, user=False)).encode())
        await keep_until([None, None])


async def test_the_program_runs_as_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The Python example prints the predictions above its threshold, and each once, over a real connection."""
    names = program(0)
    assert names["URL"].endswith(f"/v2/stream/{STREAM}")
    events = [
        *stored(),
        make_event(revision__rev_id=99, predicted_classification__probabilities={"true": 0.99}),
    ]
    printed = ""
    async with listening() as gate, aiohttp.ClientSession() as session:
        async with session.post(f"{gate}/v1/events", json=events) as answer:
            assert answer.status == 201
        checkpoint = tmp_path / "predictions.sqlite"
        watching = asyncio.create_task(names["watch"](f"{gate}/v2/stream/{STREAM}?since=0", checkpoint))
        while "99" not in printed:
            assert not watching.done()
            await asyncio.sleep(0.01)
            printed += capsys.readouterr().out
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    assert printed == "nnwiki 6 1.0\nnnwiki 9 1.0\nnnwiki 99 0.99\n"
    assert MODEL in TEXT


def test_the_program_ends_at_ctrl_c_without_a_traceback(tmp_path: Path) -> None:
    """As a program of its own it prints a prediction; SIGINT then ends it with status 0 and no error output."""
    event = make_event(revision__rev_id=99, predicted_classification__probabilities={"true": 0.99})
    stream = EventStream([json.dumps(event).encode()])
    with serving(stream.app()) as url:
        text = re.sub(r'^URL = ".*"$', f'URL = "{url}/v2/stream/x"', blocks("python")[0], flags=re.MULTILINE)
        # Tests that a shell started in the background ignore SIGINT, and a program that they start would, too.
        handler = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        command = [sys.executable, "-u", "-c", handler + text]
        with subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "nnwiki 99 0.99\n"
            running.send_signal(signal.SIGINT)
            _, errors = running.communicate()
    assert (running.returncode, errors) == (0, "")
