"""docs/lake.md: its tables are the schema's, its questions are answered, its metrics are the writer's."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from revertrisk.lake import Reader
from revertrisk.lake.bots import Bot, parse_bots, write_bots
from revertrisk.lake.metrics import LakeMetrics
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.reader import ANSWER, VIEWS, view_query
from revertrisk.lake.schema import PREDICTION, TABLES, Table
from revertrisk.lake.schema.view_columns import VIEW_COLUMNS
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
from tests.fakes.lake_oracle import Oracle
from tests.fakes.notebooks import NOTEBOOK, outputs, run_notebook

PAGE = Path(__file__).resolve().parents[3] / "docs" / "lake.md"
T374698 = PAGE.parent / "queries" / "T374698.sql"
TABLES_BEGIN = "## Tables\n"
VIEWS_BEGIN = "## Columns of the views\n"
QUESTIONS = re.findall(
    r"\*\*([^*]+\?)\*\*[^`]*(?:`[^`]*`[^`]*)*?```sql\n(.*?)```", PAGE.read_text(), re.DOTALL
)


def tables_as_markdown() -> str:
    """Return a section for each table: its rows, its key, and each column's type, meaning and source."""
    return "\n".join(line for table in TABLES for line in _section(table))


def _section(table: Table) -> Iterator[str]:
    yield f"### {table.name}\n"
    partitioned = f" Files are partitioned by `{table.partition}`." if table.partition else ""
    yield f"{table.meaning} Key: {', '.join(f'`{name}`' for name in table.key)}.{partitioned}\n"
    like = next((each for each in TABLES if each.columns[1:] == table.columns[1:]), table)
    if like is not table:
        first = table.columns[0].name
        other = (
            "" if first == like.columns[0].name else f", with `{first}` instead of `{like.columns[0].name}`"
        )
        yield f"The columns are those of [{like.name}](#{like.name}){other}.\n"
        return
    yield "| column | type | meaning | source |"
    yield "| --- | --- | --- | --- |"
    for column in table.columns:
        of = "TIMESTAMP" if column.type.startswith("TIMESTAMP") else column.type.value
        yield f"| `{column.name}` | {of} | {column.meaning} | {column.source} |"
    yield ""


def views_as_markdown(reader: Reader) -> str:
    """Return a section for each view: which columns are those of a table that it reads, and what the others mean."""
    lines = []
    for view in VIEWS:
        own = dict(VIEW_COLUMNS[view])
        read = [table for table in TABLES if re.search(rf"(?:FROM|JOIN) {table.name}\b", view_query(view))]
        read += [PREDICTION] if "prediction_current" in view_query(view) else []
        lines += [f"### View {view}\n"]
        taken: dict[str, list[str]] = {}
        table = []
        for name, kind, *_ in reader.query(f"DESCRIBE {view}").fetchall():
            if name in own:
                of = "TIMESTAMP" if kind.startswith("TIMESTAMP") else kind
                table.append(f"| `{name}` | {of} | {own.pop(name)} |")
                continue
            source = next(each.name for each in read if (name, kind) in _names_and_types(each))
            taken.setdefault(source, []).append(f"`{name}`")
        assert own == {}, view
        lines += [f"As in [{source}](#{source}): {', '.join(names)}.\n" for source, names in taken.items()]
        if table:
            lines += ["| column | type | meaning |", "| --- | --- | --- |", *table, ""]
    return "\n".join(lines).rstrip() + "\n"


def _names_and_types(table: Table) -> set[tuple[str, str]]:
    return {(column.name, column.type.value) for column in table.columns}


def test_the_tables_and_views_are_those_of_the_lake(tmp_path: Path) -> None:
    """Each column of a table has its type, meaning and source, and each of a view; ``make readme`` writes them anew."""
    text = PAGE.read_text()
    head, _, _ = text.partition(TABLES_BEGIN)
    with closing(Reader(make_lake(str(tmp_path / "lake"), str(tmp_path / "key")).root)) as reader:
        views = views_as_markdown(reader)
    wanted = (
        f"{head}{TABLES_BEGIN}\nMade from `revertrisk/lake/schema/` by `make readme`.\n\n{tables_as_markdown()}"
        f"\n{VIEWS_BEGIN}\nMade from `revertrisk/lake/sql/` and `revertrisk/lake/schema/` by `make readme`.\n\n{views}"
    )
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


KNOWN = list(edits(2400, days=30, pages=20, users=12))
SCORED = [edit for edit in KNOWN if edit.number % 7]
BOT = 10
"""The number of the user who is listed as a bot."""


def test_the_list_of_bots_on_the_page_can_be_used() -> None:
    """It is YAML that `revertrisk lake bots` takes."""
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(parse_bots(shown, PAGE.name)) == 2


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month of 2,400 edits, with predictions of both models for all but a few, and a bot."""
    folder = tmp_path_factory.mktemp("questions")
    made = make_lake(str(folder / "lake"), str(folder / "key"))
    events = [page_change(edit) for edit in KNOWN]
    events += [prediction(edit, model) for edit in SCORED for model in (LANGUAGE_AGNOSTIC, MULTILINGUAL)]
    writer = LakeWriter(made)
    writer.write(Batch(as_lines(events), [RecordPlace("a", 0)] * len(events), resume={"a": "1"}))
    writer.close()
    write_bots(made, [Bot(wiki_id=wiki, name=f"User {BOT}", valid_from=date(2020, 1, 1)) for wiki in WIKIS])
    reader = Reader(str(folder / "lake"))
    reader.query("FROM mediawiki_history")
    reader.connection.execute(f"COPY {ANSWER} TO '{folder}/mediawiki_history.parquet'")
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


def test_t374698_is_a_file_of_its_own() -> None:
    """The page shows the file as it is; ``make readme`` writes it anew."""
    (shown,) = [query for question, query in QUESTIONS if "anti-vandal bots" in question]
    wanted = T374698.read_text()
    if "UPDATE_README" in os.environ:
        PAGE.write_text(PAGE.read_text().replace(shown, wanted))
    assert shown in {wanted, *([shown] if "UPDATE_README" in os.environ else [])}


def test_t374698_counts_what_it_says(lake: Path) -> None:
    """Bot, model and both, by wiki, are what plain loops over the edits find."""
    reverted = dict(Oracle(map(page_change, KNOWN)).reverted())
    user_of = {edit.rev_id: edit.user for edit in KNOWN}
    scored = {edit.rev_id: prediction(edit, MULTILINGUAL) for edit in SCORED}
    days: defaultdict[str, set[date]] = defaultdict(set)
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for edit in KNOWN:
        revert_id, seconds, _ = reverted.get((edit.wiki_id, edit.rev_id), (None, 1e9, None))
        is_undone = seconds <= 86400
        days[edit.wiki_id].add(edit.moment.date())
        if not edit.parent_id or (revert_id is not None and user_of[revert_id] == edit.user):
            continue
        by_bot = is_undone and user_of[revert_id] == BOT
        event = scored.get(edit.rev_id)
        is_flagged = event is not None and event["predicted_classification"]["probabilities"]["true"] > 0.87
        found = (by_bot, by_bot and event is None, is_flagged, by_bot and is_flagged)
        counts[edit.wiki_id] = [sum(pair) for pair in zip(counts[edit.wiki_id], found, strict=True)]
    answered = Reader(str(lake / "lake")).query(T374698.read_text())
    names = [column[0] for column in answered.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in answered.fetchall()]
    found_columns = (
        "edits_undone_by_bot",
        "of_these_without_a_score",
        "edits_flagged_by_model",
        "edits_of_both",
    )
    assert [(row["wiki_id"], row["days"], *(row[name] for name in found_columns)) for row in rows] == [
        (wiki_id, len(days[wiki_id]), *counts[wiki_id]) for wiki_id in sorted(counts)
    ]
    assert all(any(row[name] for row in rows) for name in found_columns)


@pytest.mark.ci("notebook")
def test_the_notebook_runs_over_a_lake(lake: Path) -> None:
    """Each cell of it answers; its reverts, by bots and all, are those of the tables that the view is made of."""
    save = "lake.sql('SELECT sum(reverts), sum(by_bots), sum(undone_again) FROM bot_reverts').fetchall()"
    notebook = run_notebook(
        NOTEBOOK,
        str(lake / "lake"),
        then=f"from pathlib import Path; Path({str(lake / 'sums')!r}).write_text(str({save}))",
    )
    assert all(outputs(notebook))
    query = (
        "SELECT count(DISTINCT u.rev_id), count(DISTINCT u.rev_id) FILTER (b.name IS NOT NULL), "
        "count(DISTINCT u.rev_id) FILTER (b.name IS NOT NULL AND u.rev_id IN (SELECT rev_id FROM reverted)) "
        # As the notebook: a revert counts once for each kind of user that it undid.
        "FROM reverted r JOIN revision e USING (wiki_id, rev_id) JOIN revert u ON r.first_revert_id = u.rev_id "
        "LEFT JOIN bot b ON u.wiki_id = b.wiki_id AND u.actor_key = b.actor_key "
        "WHERE r.seconds_to_revert <= 86400 AND e.parent_id <> 0 AND e.is_content_namespace "
        "GROUP BY e.user_kind = 'registered', "
        "CASE WHEN e.edit_bucket IN ('0', '1-9', '10-99') THEN '0-99' ELSE e.edit_bucket END"
    )
    rows = Reader(str(lake / "lake")).query(query).fetchall()
    assert (lake / "sums").read_text() == str([tuple(map(sum, zip(*rows, strict=True)))])
