"""The consumer's file: whose it is, who may use it, and what survives."""

import sqlite3
from pathlib import Path

import pytest

from revertrisk.consumer import Consumer, ConsumerCheckpointError, Delivery
from tests.unit.consumer.prediction_events import MODEL, make_event


def test_others_may_read_while_the_consumer_writes(tmp_path: Path) -> None:
    """A dashboard asks the file by SQL and sees the last commit."""
    file = tmp_path / "predictions.sqlite"
    with Consumer(file) as consumer:
        consumer.take(Delivery(make_event()))
        consumer.commit()
        consumer.take(Delivery(make_event(revision__rev_id=999)))
        reader = sqlite3.connect(file)
        rows = reader.execute("SELECT model_name, rev_id, probability, received_at FROM page").fetchall()
        reader.close()
    assert rows == [(MODEL, 345, 0.25, "2026-01-31T12:00:01.250000+00:00")]


def test_a_second_consumer_is_refused(tmp_path: Path) -> None:
    """Two consumers with one checkpoint would take turns at overwriting each other's place."""
    file = tmp_path / "predictions.sqlite"
    with (
        Consumer(file),
        pytest.raises(ConsumerCheckpointError, match=r"predictions\.sqlite: database is locked"),
    ):
        Consumer(file)


def test_a_file_that_is_no_checkpoint_is_left_alone(tmp_path: Path) -> None:
    """Neither another program's database nor a text is taken for a checkpoint."""
    database, text = tmp_path / "other.sqlite", tmp_path / "notes.txt"
    other = sqlite3.connect(database)
    other.execute("CREATE TABLE page (title TEXT)")
    other.close()
    text.write_text("not a database, and long enough to be looked at as one " * 20)
    before = [path.read_bytes() for path in (database, text)]
    for path in (database, text):
        with pytest.raises(ConsumerCheckpointError, match=path.name):
            Consumer(path)
    assert text.read_bytes() == before[1]
    other = sqlite3.connect(database)
    assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("page",)]
    other.close()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The error says which file cannot be opened."""
    with pytest.raises(ConsumerCheckpointError, match=r"nowhere/predictions\.sqlite"):
        Consumer(tmp_path / "nowhere" / "predictions.sqlite")


def test_closing_twice_is_no_error(tmp_path: Path) -> None:
    """A consumer may be closed by its context and by hand."""
    with Consumer(tmp_path / "predictions.sqlite") as consumer:
        consumer.close()
