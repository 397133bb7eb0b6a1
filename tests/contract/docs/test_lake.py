"""docs/lake.md: its tables are the schema's, its questions are answered, its metrics are the writer's."""

import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from revertrisk.lake import Reader
from revertrisk.lake.bots import Bot, write_bots
from revertrisk.lake.engine import VIEWS
from revertrisk.lake.metrics import LakeMetrics
from revertrisk.lake.schema import TABLES, Table
from revertrisk.lake.tables import make_lake
from revertrisk.lake.writer import Batch, LakeWriter, RecordPlace
from tests.fakes.lake_events import (
    LANGUAGE_AGNOSTIC,
    MULTILINGUAL,
    WIKIS,
    as_lines,
    edits,
    page_change,
    prediction,
)

PAGE = Path(__file__).resolve().parents[3] / "docs" / "lake.md"
TABLES_BEGIN = "## Tables\n"
QUESTIONS = re.findall(
    r"\*\*([^*]+\?)\*\*[^`]*(?:`[^`]*`[^`]*)*?```sql\n(.*?)```", PAGE.read_text(), re.DOTALL
)


def tables_as_markdown() -> str:
    """Return a section for each table: what it holds, its key, and each column's type, meaning and source."""
    return "\n".join(line for table in TABLES for line in _section(table))


def _section(table: Table) -> Iterator[str]:
    yield f"### {table.name}\n"
    divided = f" Files are divided by `{table.partition}`." if table.partition else ""
    yield f"{table.meaning} Key: {', '.join(f'`{name}`' for name in table.key)}.{divided}\n"
    yield "| column | type | meaning | source |"
    yield "| --- | --- | --- | --- |"
    for column in table.columns:
        of = "TIMESTAMP" if column.type.startswith("TIMESTAMP") else column.type.value
        yield f"| `{column.name}` | {of} | {column.meaning} | {column.source} |"
    yield ""


def test_the_tables_are_the_schemas() -> None:
    """Each column stands there with its type, meaning and source; ``make readme`` writes them anew."""
    text = PAGE.read_text()
    head, _, _ = text.partition(TABLES_BEGIN)
    wanted = f"{head}{TABLES_BEGIN}\nMade from `revertrisk/lake/schema.py` by `make readme`.\n\n{tables_as_markdown()}"
    if "UPDATE_README" in os.environ:
        PAGE.write_text(wanted)
    assert PAGE.read_text() == wanted


def test_the_views_and_metrics_are_all_there() -> None:
    """No view and no metric is forgotten, and none is named that is not there."""
    text = PAGE.read_text()
    views = text.partition("## Views\n")[2].partition("## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", views, re.MULTILINE)) == set(VIEWS)
    registry = CollectorRegistry()
    LakeMetrics(registry)
    names = {f"{each.name}_total" if each.type == "counter" else each.name for each in registry.collect()}
    assert set(re.findall(r"^\| `(lake_\w+)`", text, re.MULTILINE)) == names


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month of 600 edits, with predictions of both models for all but a few, and a bot."""
    folder = tmp_path_factory.mktemp("questions")
    made = make_lake(str(folder / "lake"), str(folder / "key"))
    known = list(edits(600, days=30, pages=20, users=12))
    events = [page_change(edit) for edit in known]
    events += [prediction(edit, model) for edit in known[5:] for model in (LANGUAGE_AGNOSTIC, MULTILINGUAL)]
    writer = LakeWriter(made)
    writer.write(Batch(as_lines(events), [RecordPlace("a", 0)] * len(events), resume={"a": "1"}))
    writer.close()
    write_bots(made, [Bot(wiki_id=wiki, name="User 10", valid_from=date(2020, 1, 1)) for wiki in WIKIS])
    reader = Reader(str(folder / "lake"))
    reader.query("FROM mediawiki_history")
    reader.connection.execute(f"COPY _answer TO '{folder}/mediawiki_history.parquet'")
    return folder


def test_ten_questions() -> None:
    """The page has ten questions with their SQL."""
    assert len(QUESTIONS) == 10


@pytest.mark.parametrize(("question", "query"), QUESTIONS, ids=[question for question, _ in QUESTIONS])
def test_each_question_is_answered(
    lake: Path, monkeypatch: pytest.MonkeyPatch, question: str, query: str
) -> None:
    """The SQL of the page runs as it is, and finds something."""
    monkeypatch.chdir(lake)
    cursor = Reader("lake").query(query)
    names = [column[0] for column in cursor.description or ()]
    rows = cursor.fetchall()
    assert rows
    for place, name in enumerate(names):
        assert any(row[place] is not None for row in rows), name
