"""Readers beside a writer, a compaction and an erasure: every answer is one moment of the lake, none is an error."""

import io
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import orjson
import pytest

from revertrisk.lake import connect
from revertrisk.lake.answers import answer
from revertrisk.lake.erasure import Erasure, erase
from revertrisk.lake.maintenance import compact_table, maintain
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.schema import TABLES
from revertrisk.lake.tables import Lake
from revertrisk.lake.writer import Batch, LakeWriter, RecordPlace
from tests.fakes.lake_events import LANGUAGE_AGNOSTIC, MULTILINGUAL, as_lines, edits, page_change, prediction

LATER = date(2027, 1, 1)
BATCHES = 12
KNOWN = list(edits(1200, days=4))
COUNTS = (
    "SELECT p.n AS predictions, p.keys AS prediction_keys, c.n AS current, c.keys AS current_keys, "
    "b.n AS both_models, e.n AS edits, e.keys AS edit_keys FROM "
    "(SELECT count(*) AS n, count(DISTINCT (wiki_id, rev_id, model_name)) AS keys FROM prediction) p, "
    "(SELECT count(*) AS n, count(DISTINCT (wiki_id, rev_id, model_name)) AS keys FROM prediction_current) c, "
    "(SELECT count(*) AS n FROM both_models WHERE language_agnostic IS NOT NULL AND multilingual IS NOT NULL) b, "
    "(SELECT count(*) AS n, count(DISTINCT (wiki_id, rev_id)) AS keys FROM outcome) e"
)


def by_command(root: str) -> dict[str, int]:
    """Ask as `revertrisk sql --format json` does."""
    out = io.BytesIO()
    answer(root, COUNTS, "json", out)
    rows: list[dict[str, int]] = orjson.loads(out.getvalue())
    return rows[0]


def by_notebook(root: str) -> dict[str, int]:
    """Ask as a notebook does, twice of the same connection, which is one moment of the lake."""
    with connect(root) as connection:
        answers = [connection.execute(COUNTS).fetchall()[0] for _ in range(2)]
        assert answers[0] == answers[1]
        return dict(zip([column[0] for column in connection.description or ()], answers[0], strict=True))


@dataclass
class Readers:
    """Some readers in threads; each answer is kept with the edits that were written before and after it."""

    lake: Lake
    written: int = 0
    """Edits whose batch is in the lake."""
    begun: int = 0
    """Edits whose batch may be in the lake."""
    answers: list[tuple[int, dict[str, int], int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def read(self, ask: Callable[[str], dict[str, int]]) -> None:
        try:
            while not self.done.is_set():
                before = self.written
                found = ask(self.lake.root)
                self.answers.append((before, found, self.begun))
        except Exception as exc:  # noqa: BLE001 - whatever it is, a reader must not see it
            self.problems.append(f"{ask.__name__}: {type(exc).__name__}: {exc}")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return make_lake(str(tmp_path / "lake"), str(tmp_path / "key"))


@pytest.mark.ci("readers beside a writer")
def test_every_answer_is_one_moment_of_the_lake(lake: Lake) -> None:
    """Beside writes and compactions no key is double, no written edit is missing, and nothing fails."""
    readers = Readers(lake)
    threads = [threading.Thread(target=readers.read, args=(ask,)) for ask in (by_command, by_notebook)]
    for thread in threads:
        thread.start()
    writer = LakeWriter(lake)
    size = len(KNOWN) // BATCHES
    for begin in range(0, len(KNOWN), size):
        part = KNOWN[begin : begin + size]
        readers.begun += len(part)
        events = [page_change(edit) for edit in part]
        events += [prediction(edit, model) for edit in part for model in (LANGUAGE_AGNOSTIC, MULTILINGUAL)]
        writer.write(Batch(as_lines(events), [RecordPlace("a", 0)] * len(events), resume={"a": "1"}))
        readers.written += len(part)
        for table in TABLES:
            compact_table(lake, table, LATER)
    maintain(lake, today=LATER, actor_key_days=10_000)
    readers.done.set()
    for thread in threads:
        thread.join()
    writer.close()
    assert readers.problems == []
    assert len({found["edits"] for _, found, _ in readers.answers}) > 2
    for before, found, after in readers.answers:
        assert found["predictions"] == found["prediction_keys"] == found["current"] == found["current_keys"]
        assert found["predictions"] == 2 * found["both_models"]
        assert found["edits"] == found["edit_keys"]
        assert before <= found["both_models"] <= after
        assert before <= found["edits"] <= after


@pytest.mark.ci("readers beside a writer")
def test_who_reads_during_an_erasure_is_not_disturbed_within_the_grace(lake: Lake) -> None:
    """A connection from before it still has its moment, a new one does not have the erased, and neither fails."""
    writer = LakeWriter(lake)
    events = [page_change(edit) for edit in KNOWN[:200]] + [prediction(edit) for edit in KNOWN[:200]]
    writer.write(Batch(as_lines(events), [RecordPlace("a", 0)] * len(events), resume={"a": "1"}))
    writer.close()
    page = KNOWN[0]
    counts = f"SELECT count(*) FROM prediction WHERE page_id = {page.page_id}"  # noqa: S608 - a number
    keys = "SELECT count(actor_key) FROM revision"
    with connect(lake.root) as before:
        held = [before.execute(query).fetchall() for query in (counts, keys)]
        what = Erasure(
            actors=((KNOWN[1].wiki_id, f"User {KNOWN[1].user}"),), pages=((page.wiki_id, page.page_id),)
        )
        erasing = threading.Thread(target=erase, args=(lake, what), kwargs={"grace_s": 10})
        erasing.start()
        while True:
            with connect(lake.root) as now:
                if now.execute(counts).fetchall() == [(0,)]:
                    break
            time.sleep(0.05)
        assert [before.execute(query).fetchall() for query in (counts, keys)] == held
        erasing.join()
    with connect(lake.root) as after:
        assert after.execute(counts).fetchall() == [(0,)]
        assert after.execute(keys).fetchall()[0] < held[1][0]
