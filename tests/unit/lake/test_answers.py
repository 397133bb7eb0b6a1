"""`revertrisk sql`: tables and views by their names, four formats, and refusals in words."""

import csv
import io
import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from revertrisk.lake import Reader, connect
from revertrisk.lake.answers import answer
from revertrisk.lake.engine import new_engine
from revertrisk.lake.errors import LakeConfigurationError, LakeError, LakeUsageError
from revertrisk.lake.reader import VIEWS
from revertrisk.lake.schema import REVISION, TABLES
from revertrisk.lake.tables import Lake
from revertrisk.lake.writer import LakeWriter
from tests.fakes.lake_events import LANGUAGE_AGNOSTIC, MULTILINGUAL, as_lines, edits, page_change, prediction
from tests.unit.lake.conftest import batch_of

KNOWN = list(edits(60, pages=4))
TYPES = {"BIGINT", "TIMESTAMP WITH TIME ZONE", "VARCHAR", "DOUBLE", "BOOLEAN", "DATE", "INTEGER"}


@pytest.fixture
def filled(lake: Lake, writer: LakeWriter) -> Lake:
    events = [page_change(edit) for edit in KNOWN]
    events += [prediction(edit, model) for edit in KNOWN[1:] for model in (LANGUAGE_AGNOSTIC, MULTILINGUAL)]
    events += [prediction(KNOWN[0], suffix=".backfill"), prediction(KNOWN[1], suffix=".shadow")]
    writer.write(batch_of(as_lines(events)))
    return lake


def asked(lake: Lake, query: str, output_format: str) -> bytes:
    out = io.BytesIO()
    answer(lake.root, query, output_format, out)
    return out.getvalue()


QUERY = "SELECT wiki_id, rev_id, dt, probability, NULL AS nothing FROM prediction ORDER BY rev_id, model_name LIMIT 2"


def test_each_format_writes_the_same_answer(filled: Lake, tmp_path: Path) -> None:
    """CSV has a header, JSON is a list of objects with times as events have them, Parquet keeps the types."""
    rows = json.loads(asked(filled, QUERY, "json"))
    assert [list(row) for row in rows] == [["wiki_id", "rev_id", "dt", "probability", "nothing"]] * 2
    assert rows[0]["dt"].endswith("Z")
    assert rows[0]["nothing"] is None
    lines = list(csv.DictReader(io.StringIO(asked(filled, QUERY, "csv").decode())))
    assert [line["rev_id"] for line in lines] == [str(row["rev_id"]) for row in rows]
    assert lines[0]["dt"] == rows[0]["dt"]
    (tmp_path / "answer.parquet").write_bytes(asked(filled, QUERY, "parquet"))
    stored = new_engine().sql(f"FROM read_parquet('{tmp_path}/answer.parquet')").fetchall()
    assert [row[1] for row in stored] == [row["rev_id"] for row in rows]
    table = asked(filled, QUERY, "table").decode()
    assert "probability" in table
    assert str(rows[0]["rev_id"]) in table
    assert json.loads(asked(filled, f"FROM ({QUERY}) WHERE false", "json")) == []


@pytest.mark.parametrize(
    "query",
    [
        "DESCRIBE prediction",
        "SELECT 1, 1;",
        "SUMMARIZE prediction",
        "EXPLAIN SELECT 1",
        "FROM place -- one",
        "WITH x AS (SELECT 1 AS a) FROM x",
        "PIVOT prediction ON model_name USING count(*) GROUP BY wiki_id",
    ],
)
def test_what_is_no_plain_select_is_answered_too(filled: Lake, query: str) -> None:
    """Each query has rows, whatever its first word."""
    assert json.loads(asked(filled, query, "json"))


def test_show_tables_lists_tables_and_views(filled: Lake) -> None:
    """It lists those of the documentation and no other, also after another query."""
    with closing(Reader(filled.root)) as reader:
        for query in ("SHOW TABLES", "SELECT 1", "SHOW TABLES"):
            rows = reader.query(query).fetchall()
        assert {name for (name,) in rows} == {*VIEWS, *(table.name for table in TABLES)}


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("SELECT 1; SELECT 2", "not 2 statements"),
        ("DROP VIEW outcome", "not DROP"),
        ("CREATE TABLE t AS SELECT 1", "not CREATE"),
        ("COPY (SELECT 1) TO 'here.csv'", "not COPY"),
        ("SET threads = 1", "not SET"),
        ("-- only a comment", "the query is empty"),
        (" ; ", "the query is empty"),
    ],
)
def test_what_is_not_one_query_is_refused(
    filled: Lake, query: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several statements, and statements that change something, are refused, and nothing of them is run."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LakeUsageError, match=problem) as refused:
        asked(filled, query, "table")
    assert refused.value.exit_status == 2
    assert not (tmp_path / "here.csv").exists()


def test_json_has_every_kind_of_value(filled: Lake) -> None:
    """Integers of more than 64 bits are exact, keys of maps are texts, and NaN is null."""
    values = (
        f"{2**100}::HUGEINT AS big, [{2**65}::HUGEINT] AS bigs, MAP {{1: 'a'}} AS map, 'nan'::DOUBLE AS nan"
    )
    (row,) = json.loads(asked(filled, f"SELECT {values}", "json"))
    assert row == {"big": 2**100, "bigs": [2**65], "map": {"1": "a"}, "nan": None}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_a_time_without_zone_is_written_as_it_is(
    filled: Lake, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither kind of time depends on the machine's zone, and only an instant has a Z."""
    query = "SELECT TIMESTAMP '2026-10-01 12:00:00' AS plain, TIMESTAMPTZ '2026-10-01 12:00:00+00' AS instant"
    with monkeypatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        answers = [asked(filled, query, name).decode() for name in ("json", "csv", "table")]
    time.tzset()
    assert json.loads(answers[0]) == [
        {"plain": "2026-10-01T12:00:00.000", "instant": "2026-10-01T12:00:00.000Z"}
    ]
    for text in answers[1:]:
        assert "2026-10-01T12:00:00.000Z" in text
        assert text.count("2026-10-01T12:00:00.000") == 2


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (" \n", "the query is empty"),
        ("SELEC", "syntax error"),
        ("SELECT * FROM predictions", "predictions does not exist"),
        ("SELECT x FROM page", "x"),
        ("SELECT (SELECT rev_id FROM revision)", "More than one row"),
        ("SELECT strptime('x', '%Y')", "Could not parse"),
        ("FROM read_csv('/no/such/file')", "No files found"),
    ],
)
def test_a_query_that_cannot_be_understood_is_refused(filled: Lake, query: str, words: str) -> None:
    """The engine's words say where it is wrong; the status is that of usage."""
    with pytest.raises(LakeUsageError, match=words) as refused:
        asked(filled, query, "csv")
    assert refused.value.exit_status == 2


def test_a_damaged_file_is_no_mistake_in_the_query(filled: Lake) -> None:
    """It is named, and the status is that of a damaged lake."""
    (file, *_) = Path(filled.root, "revision").glob("*/*.parquet")
    file.write_bytes(b"nothing" * 99)
    with pytest.raises(LakeError, match=r"the lake cannot be read: .*revision") as failed:
        asked(filled, "SELECT max(rev_size) FROM revision", "csv")
    assert failed.value.exit_status == 1


def test_a_file_that_is_gone_is_looked_for_in_the_newest_version(filled: Lake, writer: LakeWriter) -> None:
    """A reader answers after the files that it was opened with were replaced and removed."""
    with closing(Reader(filled.root)) as reader:
        before = set(filled.files(REVISION))
        writer.write(batch_of(as_lines([page_change(edit) for edit in edits(90, pages=4)])))
        gone = before - set(filled.files(REVISION))
        assert gone
        for file in gone:
            Path(file).unlink()
        (count,) = json.loads(asked(filled, "SELECT count(*) AS n FROM revision", "json"))
        assert count["n"] > len(KNOWN)
        assert reader.query("SELECT count(*) FROM revision").fetchall() == [(count["n"],)]


def test_a_cell_has_lists_and_structures_as_json(filled: Lake) -> None:
    """CSV and the table have JSON in a cell; bytes are as the engine reads them."""
    nested = (
        "[TIMESTAMP '2026-10-01'] AS a, [1, NULL] AS b, "
        "{'day': DATE '2026-10-01', 'time': TIMETZ '12:00:00+02'} AS c, '\\xAA'::BLOB AS d"
    )
    lines = asked(filled, f"SELECT {nested}", "csv").decode().splitlines()
    cells = [
        '["2026-10-01T00:00:00.000"]',
        "[1,null]",
        '{"day":"2026-10-01","time":"12:00:00+02:00"}',
        "\\xAA",
    ]
    assert next(csv.reader(lines[1:])) == cells
    table = asked(filled, f"SELECT {nested}", "table").decode()
    assert all(cell in table for cell in cells)
    (row,) = json.loads(asked(filled, f"SELECT {nested}", "json"))
    assert row == {
        "a": ["2026-10-01T00:00:00.000"],
        "b": [1, None],
        "c": {"day": "2026-10-01", "time": "12:00:00+02:00"},
        "d": "\\xAA",
    }


def test_a_title_cannot_change_what_a_terminal_shows(filled: Lake) -> None:
    """No name of an emoji becomes one, and no control character reaches the terminal."""
    text = "'Talk:smile: :x: ' || chr(27) || '[31m'"
    table = asked(
        filled, f"PIVOT (SELECT {text} AS t, {text} AS name) ON name USING max(t)", "table"
    ).decode()
    assert table.count("Talk:smile: :x: \\x1b[31m") == 2  # a column, and its cell
    assert "\x1b" not in table


def test_no_lake_is_said(tmp_path: Path) -> None:
    """A folder without a lake is a matter of configuration."""
    with pytest.raises(LakeConfigurationError, match="there is no lake here"):
        answer(str(tmp_path), QUERY, "csv", io.BytesIO())


def test_a_notebook_has_tables_and_views_with_common_types(filled: Lake) -> None:
    """`lake.connect` gives every table and view; each column has a type that Spark reads alike."""
    connection = connect(filled.root)
    found = connection.execute(
        "SELECT table_name, data_type FROM information_schema.columns WHERE table_name <> '_answer'"
    ).fetchall()
    assert set(VIEWS) <= {name for name, _ in found}
    assert {of for _, of in found} <= TYPES


ONE = KNOWN[5]
COLLAPSED: list[tuple[list[dict[str, Any]], tuple[str, str, str]]] = [
    ([prediction(ONE, version="9"), prediction(ONE, version="10")], ("10", "live", "edit")),
    (
        [prediction(ONE, suffix=".backfill"), prediction(ONE) | {"page_change_kind": "move"}],
        ("3", "live", "move"),
    ),
    ([prediction(ONE, version="4", suffix=".backfill"), prediction(ONE)], ("4", "backfill", "edit")),
]


@pytest.mark.parametrize(("events", "wanted"), COLLAPSED)
def test_one_row_for_each_revision_and_model(
    lake: Lake, writer: LakeWriter, events: list[dict[str, Any]], wanted: tuple[str, str, str]
) -> None:
    """The latest version wins, then live before backfill, whatever the kind; a model on trial is never seen."""
    writer.write(batch_of(as_lines([*events, prediction(ONE, version="99", suffix=".shadow")])))
    rows = connect(lake.root).execute(
        "SELECT model_version, source, page_change_kind FROM prediction_current"
    )
    assert rows.fetchall() == [wanted]


def test_both_models_stand_side_by_side(filled: Lake) -> None:
    """A revision has one row with the probability of each model, null where there is none."""
    rows = (
        connect(filled.root)
        .execute("SELECT * EXCLUDE (day, page_id, dt) FROM both_models ORDER BY rev_id")
        .fetchall()
    )
    assert len(rows) == len(KNOWN)
    assert rows[0][2] is not None
    assert rows[0][3] is None
    assert all(None not in row for row in rows[1:])


def test_an_edit_without_prediction_has_a_reason(filled: Lake) -> None:
    """Coverage counts every edit once for each model: predicted, skipped for a reason of its event, or missing."""
    counted = connect(filled.root).execute(
        "SELECT model_name, reason, sum(edits)::BIGINT FROM coverage GROUP BY ALL ORDER BY ALL"
    )
    assert counted.fetchall() == [
        (LANGUAGE_AGNOSTIC, "predicted", 60),
        (MULTILINGUAL, "no_parent", 1),
        (MULTILINGUAL, "predicted", 59),
    ]
