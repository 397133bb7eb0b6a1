"""A page of 2 MB gets its answer before the request's deadline, which the server itself enforces with a 503."""

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from mock_mediawiki.page_changes import page_changes
from revertrisk.cli.programs import running
from revertrisk.wiki.exports.history import ExportHistory
from revertrisk.wiki.exports.index import indexed_export
from revertrisk.wiki.table import WikiTable
from tests.fakes.clients import STREAM, Client, StartServer

MODELS = ["revertrisk-language-agnostic", "revertrisk-multilingual"]
SIZE = 2_000_000
WORDS = "the town was first mentioned in 812 lol stupid charter Kirche город"
BASE, FEW_LINES, OTHER_LINES, ONE_LINE, ONE_OTHER_LINE, GROWN = range(10, 16)


def text(seed: int, words_in_line: int) -> str:
    """Return a text of 2 MB."""
    chance = random.Random(seed)  # noqa: S311 - test data
    words = WORDS.split()
    lines, size = [], 0
    while size < SIZE:
        lines.append(" ".join(chance.choices(words, k=words_in_line)))
        size += len(lines[-1].encode()) + 1
    return "\n".join(lines).encode()[:SIZE].decode(errors="ignore")


def texts() -> dict[int, str]:
    """Return the page's texts, each an edit of the one before."""
    base, other = text(1, 12), text(2, 12)
    lines = base.split("\n")
    for place in (10, 5_000, 20_000):
        lines[place] = "LOL YOU SUCK!!!!"
    return {
        BASE: base,
        FEW_LINES: "\n".join(lines),
        OTHER_LINES: other,
        ONE_LINE: text(3, 1_000_000),
        ONE_OTHER_LINE: text(4, 1_000_000),
        GROWN: other + "x" * 200_000,
    }


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of one page."""
    revisions = "".join(
        f"<revision><id>{rev_id}</id><timestamp>2026-01-{rev_id}T00:00:00Z</timestamp>"
        f"<contributor><ip>192.0.2.7</ip></contributor><comment>c</comment><text>{content}</text></revision>"
        for rev_id, content in texts().items()
    )
    file = tmp_path_factory.mktemp("export") / "page.xml"
    file.write_text(
        '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.4/"><siteinfo><dbname>enwiki</dbname></siteinfo>'
        f"<page><title>Long</title><ns>0</ns><id>1</id>{revisions}</page></mediawiki>",
        encoding="utf-8",
    )
    return file


@pytest.fixture(scope="module")
def wiki(export: Path, logs: Path) -> Iterator[str]:
    command = ["mock-mediawiki", "--port", "0", "--dump", str(export)]
    with running(command, logs / "long-page.log", {"XDG_CACHE_HOME": str(export.parent)}) as program:
        yield program.url


@pytest.fixture(scope="module")
def events(export: Path) -> dict[int, dict[str, Any]]:
    """Return the page_change events, by revision."""
    wikis = WikiTable.load()
    with closing(ExportHistory(indexed_export(export, export.parent / "index", wikis))) as history:
        return {event["revision"]["rev_id"]: event for event in page_changes(history, wikis)}


@pytest.fixture(scope="module", params=MODELS)
def server(
    request: pytest.FixtureRequest, start_server: StartServer, wiki: str, gate: str
) -> Iterator[tuple[str, str]]:
    """A producer with its ordinary limits, and the name of its model."""
    with start_server(
        MODEL_NAME=request.param, WIKI_URL=wiki, EVENTGATE_URL=gate, EVENTGATE_STREAM=STREAM
    ) as program:
        yield program.url, request.param


@pytest.mark.parametrize(
    "rev_id",
    [FEW_LINES, OTHER_LINES, ONE_LINE, ONE_OTHER_LINE],
    ids=["a few lines", "every line", "into one line", "all of one line"],
)
async def test_a_2_mb_page_is_scored(
    client: Client, server: tuple[str, str], events: dict[int, dict[str, Any]], empty_gate: str, rev_id: int
) -> None:
    """Whether little changed or everything, the event is produced: no 503, so within the server's own deadline."""
    url, model = server
    assert events[rev_id]["revision"]["rev_size"] > SIZE - 1_000
    reply = await client.predict(url, {"event": events[rev_id]}, model=model)
    assert (reply.status, reply.outcome) == (200, "produced"), reply.body
    assert len(await client.accepted(empty_gate)) == 1


@pytest.mark.parametrize(
    "rev_id",
    [FEW_LINES, OTHER_LINES, ONE_OTHER_LINE],
    ids=["a few lines", "every line", "all of one line"],
)
async def test_a_2_mb_page_is_explained(client: Client, server: tuple[str, str], rev_id: int) -> None:
    """An explanation scores the edit again for each of its places, and its answer stays small."""
    url, model = server
    body = orjson.dumps({"lang": "en", "rev_id": rev_id})
    async with client.session.post(f"{url}/v1/models/{model}:explain", data=body) as answer:
        content = await answer.read()
    assert answer.status == 200, content
    assert len(content) < 50_000
    parts = orjson.loads(content)["explanation"]
    total = parts["base"] + sum(each["amount"] for each in parts["contributions"])
    assert total == pytest.approx(parts["logit"], abs=1e-6)


async def test_beyond_the_limit_a_page_is_skipped(
    client: Client, server: tuple[str, str], events: dict[int, dict[str, Any]], empty_gate: str
) -> None:
    """A page of 2.2 MB is `too_large`, by its event alone."""
    url, model = server
    reply = await client.predict(url, {"event": events[GROWN]}, model=model)
    assert (reply.status, reply.outcome) == (200, "skipped:too_large")
    assert await client.accepted(empty_gate) == []
