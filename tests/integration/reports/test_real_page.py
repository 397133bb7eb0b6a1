"""The reports over the whole history of a real page, beside the 2023 notebook's queries, and beside `evaluate`."""

import gzip
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from revertrisk.cli.app import app
from revertrisk.lake import Reader
from revertrisk.lake.engine import make_table, new_engine
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.reader import view_query
from revertrisk.lake.tables import Lake
from revertrisk.reports.bot_rows import (
    BUCKETS,
    KINDS,
    RevertedRows,
    read_bots,
    read_days,
    read_overlap,
    read_reverted,
)
from revertrisk.reports.bots import Bots, bots
from revertrisk.reports.figures import MIN_EDITS
from revertrisk.reports.lake_edits import Period, read_models, read_scored
from revertrisk.reports.outcomes import ReportOptions, outcomes
from revertrisk.scoring.artifact import shipped
from revertrisk.scoring.training.evaluate import area_under_curve
from revertrisk.scoring.training.evaluate_file import FileEvaluation, evaluate_file
from revertrisk.scoring.training.figures import precision, recall
from tests.fakes.lake_events import LANGUAGE_AGNOSTIC, Edit, prediction
from tests.fakes.outcome_lake import fill
from tests.fakes.real_data import EDITS, PAGE, PAGE_LABELS
from tests.fakes.real_lakes import notebook_query

pytestmark = [pytest.mark.ci("real data"), pytest.mark.timeout(600)]

SINCE = (datetime(2005, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
HORIZON = 48 * 3600.0
THRESHOLDS = (0.2, 0.35, 0.5, 0.65, 0.87)


@pytest.fixture(scope="module")
def evaluated(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[FileEvaluation, list[int]]:
    """What `label` and `evaluate` make of the page, and the revision of each edit."""
    labels = tmp_path_factory.mktemp("labels") / "labels.jsonl"
    result = CliRunner().invoke(app, ["label", str(EDITS / PAGE), "--out", str(labels)])
    assert result.exit_code == 0, result.output
    rows = map(json.loads, labels.read_bytes().splitlines())
    rev_ids = [row["rev_id"] for row in rows if row["mature"]]  # `evaluate` leaves out the others
    return evaluate_file(shipped(LANGUAGE_AGNOSTIC), labels), rev_ids


@pytest.fixture(scope="module")
def reader(page_lake: Lake) -> Iterator[Reader]:
    with closing(Reader(page_lake.root)) as reader:
        yield reader


@pytest.fixture(scope="module")
def rows(reader: Reader) -> RevertedRows:
    found = read_reverted(reader, ["enwiki"], 86_400.0, Period(datetime(2005, 1, 1, tzinfo=UTC).date()))
    return found.part(found.edit_day >= SINCE)  # the notebook's period is of edits


def cells(rows: RevertedRows) -> dict[tuple[Any, ...], tuple[int, int, int]]:
    """Count reverts as the notebook groups them, from the rows of `bots` before its rules."""
    anonymous = rows.kind != KINDS.index("registered")
    keys = list(zip(rows.revert_day.tolist(), anonymous.tolist(), rows.edit_bucket.tolist(), strict=True))
    found: dict[tuple[Any, ...], set[tuple[int, bool, bool]]] = {}
    for key, rev_id, bot, undone in zip(
        keys, rows.rev_id.tolist(), rows.bot.tolist(), rows.undone_by.tolist(), strict=True
    ):
        found.setdefault(key, set()).add((rev_id, bot != "", bot != "" and undone > 0))
    return {
        key: tuple(map(sum, zip(*((1, b, u) for _, b, u in of), strict=True))) for key, of in found.items()
    }


def notebook_cells(found: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], tuple[int, int, int]]:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return {
        (
            (datetime(year, month, day, tzinfo=UTC) - epoch).days,
            user_type == "anon",
            BUCKETS.index(bucket) if bucket in BUCKETS else BUCKETS.index("unknown"),
        ): counts
        for _, year, month, day, user_type, bucket, *counts_ in found
        for counts in [tuple(counts_)]
    }


def test_bots_is_the_notebooks_count_before_its_own_rules(reader: Reader, rows: RevertedRows) -> None:
    """Cell by cell: day, kind and edits of the reverted editor; reverts, those by bots, those of these reverted."""
    found = reader.query(notebook_query(reader.connection, "bot_reverts")).fetchall()
    assert len(found) == 968
    assert cells(rows) == notebook_cells(found)


@pytest.fixture(scope="module")
def spark(page_lake: Lake) -> Iterator[Any]:
    """Start Sail, and a session of Spark Connect with it that knows the lake's tables and its `mediawiki_history`."""
    from pysail.spark import SparkConnectServer  # noqa: PLC0415 - half a second each
    from pyspark.sql import SparkSession  # noqa: PLC0415

    server = SparkConnectServer("127.0.0.1", 0)
    server.start()
    host, port = server.listening_address
    session = SparkSession.builder.remote(f"sc://{host}:{port}").getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    for name in ("revision", "revert", "reverted", "bot"):
        session.read.format("delta").load(f"{page_lake.root}/{name}").createOrReplaceTempView(name)
    session.sql(view_query("mediawiki_history")).createOrReplaceTempView("mediawiki_history")
    yield session
    session.stop()
    server.stop()


@pytest.mark.parametrize(("query", "number"), [("bot_reverts", 968), ("reverted_bot_reverts", 9)])
def test_spark_gives_the_notebooks_queries_the_same_rows(
    reader: Reader, spark: Any, query: str, number: int
) -> None:
    """Both queries of the notebook, over the same files, in DuckDB and in Spark SQL: row by row."""
    text = notebook_query(reader.connection, query)
    ours = sorted(reader.query(text).fetchall())
    theirs = spark.sql(text.replace("wmf.mediawiki_history", "mediawiki_history")).toArrow().to_pylist()
    assert len(ours) == number
    assert sorted(tuple(row.values()) for row in theirs) == ours


def report(reader: Reader, rows: RevertedRows) -> Bots:
    overlap = read_overlap(
        reader,
        ["enwiki"],
        model_name=LANGUAGE_AGNOSTIC,
        threshold=0.87,
        window_s=86_400.0,
        period=Period(),
        automoderator_rules=False,
    )
    days = read_days(reader, Period())
    return bots(["enwiki"], read_bots(reader), rows, overlap, days, model_name=LANGUAGE_AGNOSTIC)


def test_each_difference_has_its_rule(reader: Reader, rows: RevertedRows) -> None:
    """From the notebook's reverts to the report's: each step is what one rule leaves out, counted by SQL itself."""
    found = report(reader, rows)
    steps = {each.rule: each for each in found.rules}
    base = (
        "SELECT count(DISTINCT u.rev_id), count(DISTINCT CASE WHEN b.name IS NOT NULL THEN u.rev_id END) "
        "FROM reverted r JOIN revision e ON r.rev_id = e.rev_id JOIN revert u ON r.first_revert_id = u.rev_id "
        "LEFT JOIN bot b ON u.actor_key = b.actor_key WHERE e.is_content_namespace AND e.parent_id <> 0 "
        "AND r.seconds_to_revert <= 86400 AND r.day >= DATE '2005-01-01'"
    )
    more = {
        "notebook": "",
        "self-reverts": " AND NOT coalesce(r.is_self, false)",
        "null edits": " AND NOT coalesce(r.is_self, false) AND NOT coalesce(e.is_null_edit, false)",
    }
    for rule, condition in more.items():
        assert reader.query(base + condition).fetchall() == [(steps[rule].reverts, steps[rule].bot_reverts)]
    assert steps["validity"].bot_reverts == steps["null edits"].bot_reverts
    whole = next(each for each in found.reverts if (each.bot, each.kind) == ("all", "all"))
    assert (whole.reverts, whole.bot_reverts) == (steps["validity"].reverts, steps["validity"].bot_reverts)
    assert steps["notebook"].reverts > steps["self-reverts"].reverts


def test_who_reverts_the_bots_is_the_notebooks_second_query(reader: Reader, rows: RevertedRows) -> None:
    """Reverts of bot reverts, and those by the base editor: the sums of its nine rows; one revert undid two."""
    found = reader.query(notebook_query(reader.connection, "reverted_bot_reverts")).fetchall()
    assert len(found) == 9
    by_bot = rows.part((rows.bot != "") & (rows.undone_by > 0)).reverts()
    # The notebook counts the reverts that undid a bot's, this report the bot's that were undone.
    undoing = {
        (name, rev_id): whom == 1
        for name, rev_id, whom in zip(by_bot.bot, by_bot.undone_by, by_bot.undone_by_whom, strict=True)
    }
    assert len(by_bot.page) == len(undoing) + 1
    counted = Counter(name for name, _ in undoing)
    base = Counter(name for (name, _), is_base in undoing.items() if is_base)
    assert {name: (counted[name], base[name]) for name in counted} == {
        name: (
            sum(row[4] for row in found if row[3] == name),
            sum(row[5] for row in found if row[3] == name),
        )
        for name in {row[3] for row in found}
    }


def test_the_labelled_history_gives_the_published_numbers_of_rows(shared: Path) -> None:
    """Reverts by the chain of equal texts, as the labelled history has them, give 967 and 9 rows.

    The lake takes them from MediaWiki's own rule, which looks at the 15 texts before a revert is saved, and has one
    row more (docs/decisions/0014).
    """
    with gzip.open(EDITS / PAGE_LABELS) as lines:
        listed = [json.loads(line) for line in lines]
    moments = {row["rev_id"]: datetime.fromisoformat(row["timestamp"]) for row in listed}
    history = [
        {
            "wiki_db": "enwiki",
            "event_entity": "revision",
            "event_type": "create",
            "event_timestamp": row["timestamp"],
            "event_user_text": row["user"],
            "event_user_is_anonymous": bool(row["anon"]),
            "event_user_revision_count": None,
            "page_namespace_is_content": True,
            "revision_id": row["rev_id"],
            "revision_parent_id": row["parent_id"] or 0,
            "revision_is_identity_reverted": row["reverted_by_rev"] is not None,
            "revision_first_identity_reverting_revision_id": row["reverted_by_rev"],
            "revision_seconds_to_identity_revert": None
            if row["reverted_by_rev"] is None
            else int((moments[row["reverted_by_rev"]] - moments[row["rev_id"]]).total_seconds()),
            "snapshot": "2026-11",
        }
        for row in listed
    ]
    kinds = {
        "event_timestamp": "TIMESTAMP",
        "event_user_is_anonymous": "BOOLEAN",
        "event_user_revision_count": "BIGINT",
        "page_namespace_is_content": "BOOLEAN",
        "revision_id": "BIGINT",
        "revision_parent_id": "BIGINT",
        "revision_is_identity_reverted": "BOOLEAN",
        "revision_first_identity_reverting_revision_id": "BIGINT",
        "revision_seconds_to_identity_revert": "BIGINT",
    }
    with closing(new_engine()) as engine:
        make_table(engine, "history", history, {name: kinds.get(name, "VARCHAR") for name in history[0]})
        engine.execute("CREATE SCHEMA wmf; CREATE VIEW wmf.mediawiki_history AS FROM history")
        counts = [
            len(engine.execute(notebook_query(engine, name)).fetchall())
            for name in ("bot_reverts", "reverted_bot_reverts")
        ]
    assert counts == [967, 9]


def test_matured_outcomes_are_those_of_evaluate(
    page_lake: Lake, tmp_path: Path, evaluated: tuple[FileEvaluation, list[int]]
) -> None:
    """On the same edits and probabilities AUC, share and recall are equal to 1e-9, and no other edit is counted."""
    evaluation, rev_ids = evaluated
    shutil.copytree(Path(page_lake.root).parent, tmp_path / "copy")
    lake = make_lake(str(tmp_path / "copy/lake"), str(tmp_path / "copy/key"))
    probabilities, labels = evaluation.probabilities, evaluation.labels
    known = dict(zip(rev_ids, probabilities.tolist(), strict=True))
    with closing(Reader(lake.root)) as reader:
        scorable = reader.query(
            "SELECT rev_id, page_id, dt FROM revision WHERE skip_reason IS NULL"
        ).fetchall()
    assert {rev_id for rev_id, _, _ in scorable} > known.keys()
    events = []
    for number, (rev_id, page_id, dt) in enumerate(scorable):
        event = prediction(Edit(number, "enwiki", page_id, rev_id, 1, 0, dt), suffix=".backfill")
        probability = known.get(rev_id, 0.5)
        event["predicted_classification"]["probabilities"] = {"true": probability, "false": 1 - probability}
        events.append(event)
    fill(lake, events, "predictions")
    with closing(Reader(lake.root)) as reader:
        scored = [read_scored(reader, model) for model in read_models(reader)]
    found = outcomes(scored, ReportOptions(THRESHOLDS, (HORIZON,), is_matured=True))
    (at,) = found.models[0].cells[0].horizons
    left_out = at.left_out.without_label or {}
    assert at.n == len(rev_ids) == len(scorable) - sum(left_out.values())
    assert at.quality.auc.value == pytest.approx(area_under_curve(probabilities, labels), abs=1e-9)
    assert evaluation.evaluation.auc.value == round(at.quality.auc.value or 0, 4)
    ones = np.ones((1, len(labels)))
    for each in at.reverters["anyone"].thresholds:
        wanted = [
            function(probabilities, labels, each.threshold)(ones)[0] for function in (precision, recall)
        ]
        share = each.share_reverted_flagged
        if min(share.reverted, share.n - share.reverted) < MIN_EDITS:
            assert share.value is None
        else:
            assert share.value == pytest.approx(wanted[0], abs=1e-9)
        assert each.recall.value == pytest.approx(wanted[1], abs=1e-9)
