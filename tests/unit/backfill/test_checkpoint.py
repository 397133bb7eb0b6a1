"""What a checkpoint keeps, and what it refuses."""

import sqlite3
from pathlib import Path

import pytest

from revertrisk.backfill.checkpoint import (
    BackfillCheckpoint,
    BackfillCheckpointError,
    DamagedCheckpointError,
    PlannedRevision,
    checkpoint_error,
)

SELECTION = {"wiki": "enwiki", "namespace": "0"}


def planned(rev_id: int, reason: str | None = None) -> PlannedRevision:
    return PlannedRevision(
        wiki_id="enwiki",
        rev_id=rev_id,
        parent_id=rev_id - 1,
        page_id=12,
        namespace_id=0,
        changed_at="2006-01-01T00:00:00Z",
        reason=reason,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "backfill.sqlite"


def test_everything_is_there_again(path: Path) -> None:
    """Places, facts, revisions and their outcomes, in the order in which they were found."""
    with BackfillCheckpoint(path) as first:
        assert first.begin(SELECTION)
        assert first.place("enwiki") == {}
        first.add([planned(3), planned(2, "skipped:null_edit"), planned(1)])
        first.finish_batch("enwiki", {"arvcontinue": "20060101|1"}, ["No such page"])
        first.note_fact("planned_at", "now")
        first.note_outcome(1, "produced")
    with BackfillCheckpoint(path) as second:
        assert not second.begin(SELECTION)
        assert second.place("enwiki") == {"arvcontinue": "20060101|1"}
        assert second.fact("planned_at") == "now"
        assert [revision.rev_id for revision in second.pending(0, 10)] == [1]
        assert second.unfound() == [("enwiki", "No such page")]
        second.finish_batch("enwiki", None)
        assert second.place("enwiki") is None


@pytest.mark.parametrize("damage", ["beginning", "middle", "place"])
def test_a_damaged_file_is_said_to_be_of_no_more_use(path: Path, damage: str) -> None:
    """T4: whatever is damaged, the sentence says to start again, not to run the same command."""
    with BackfillCheckpoint(path) as checkpoint:
        checkpoint.add([planned(rev_id) for rev_id in range(1, 2000)])
        checkpoint.finish_batch("enwiki", {})
    if damage == "place":
        with sqlite3.connect(path) as database:
            database.execute("UPDATE place SET place = '{'")
        database.close()
    else:
        content = bytearray(path.read_bytes())
        start = 0 if damage == "beginning" else 8192
        content[start : start + 20_000] = b"\xff" * 20_000
        path.write_bytes(content)

    def read() -> None:
        with BackfillCheckpoint(path) as checkpoint:
            checkpoint.place("enwiki")
            list(checkpoint.groups())

    with pytest.raises((DamagedCheckpointError, sqlite3.Error)) as caught:
        read()
    found = caught.value
    problem = checkpoint_error(path, found) if isinstance(found, sqlite3.Error) else found
    assert isinstance(problem, DamagedCheckpointError)
    assert "start again with another --checkpoint" in str(problem)


def test_a_revision_that_is_found_again_stays_as_it_is(path: Path) -> None:
    """A batch whose end was not reached is planned once more."""
    with BackfillCheckpoint(path) as checkpoint:
        checkpoint.add([planned(1)])
        checkpoint.note_outcome(1, "produced")
        checkpoint.add([planned(1, "skipped:null_edit"), planned(2)])
        assert checkpoint.known("enwiki", [1, 2, 3]) == {1, 2}
        assert [revision.rev_id for revision in checkpoint.pending(0, 10)] == [2]


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"wiki": "enwiki", "namespace": "0 1"}, "namespace: .* was started with 0, not with 0 1"),
        ({"wiki": "enwiki"}, "namespace: .* was started with 0, not with none"),
        (SELECTION | {"category": "Physics"}, "category: .* was started with none, not with Physics"),
    ],
)
def test_another_selection_is_refused(path: Path, other: dict[str, str], reason: str) -> None:
    """By the name of the flag that differs, also where one of the two lacks it."""
    with BackfillCheckpoint(path) as checkpoint:
        checkpoint.begin(SELECTION)
        with pytest.raises(BackfillCheckpointError, match=reason):
            checkpoint.begin(other)


def test_another_file_is_refused(path: Path, tmp_path: Path) -> None:
    """A database of something else, and what is no database, stay as they are."""
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE other (x)")
    database.close()
    with pytest.raises(BackfillCheckpointError, match="expected the checkpoint of a backfill"):
        BackfillCheckpoint(path)
    text = tmp_path / "text"
    text.write_text("no database" * 100)
    with pytest.raises(BackfillCheckpointError, match="text"):
        BackfillCheckpoint(text)
    with pytest.raises(BackfillCheckpointError, match="missing"):
        BackfillCheckpoint(tmp_path / "missing" / "backfill.sqlite")


def test_two_at_a_time_are_refused(path: Path) -> None:
    """One would send what the other has sent."""
    with (
        BackfillCheckpoint(path),
        pytest.raises(BackfillCheckpointError, match="another backfill is using it"),
    ):
        BackfillCheckpoint(path)


def test_nothing_personal_is_kept(path: Path) -> None:
    """Ids, namespaces and times; titles only of pages that somebody listed and that are not there."""
    with BackfillCheckpoint(path):
        pass
    with sqlite3.connect(path) as database:
        columns = {row[1] for row in database.execute("PRAGMA table_info(revision)")}
    database.close()
    assert columns == {
        "number", "wiki_id", "rev_id", "parent_id", "page_id", "namespace_id", "changed_at", "reason", "outcome",
    }  # fmt: skip
