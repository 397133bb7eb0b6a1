import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from revertrisk.streams.checkpoints import CheckpointFile, SourceCheckpointError


async def test_each_source_has_a_place_of_its_own_that_outlives_the_process(tmp_path: Path) -> None:
    """What was written last is what is read."""
    path = tmp_path / "checkpoints"
    with closing(CheckpointFile(path)) as checkpoints:
        one, other = checkpoints.of("one"), checkpoints.of("other")
        assert await one.read() is None
        await one.write("1")
        await other.write("x")
        await one.write("2")
    with closing(CheckpointFile(path)) as checkpoints:
        assert await checkpoints.of("one").read() == "2"
        assert await checkpoints.of("other").read() == "x"


HOLDER = """
import sys
from pathlib import Path
from revertrisk.streams.checkpoints import CheckpointFile

checkpoint = CheckpointFile(Path(sys.argv[1])).of("one")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_source_is_one_process_s_until_that_ends(tmp_path: Path) -> None:
    """Two that shared a place would each pass over what the other has not finished; a killed one holds nothing."""
    path = tmp_path / "checkpoints"
    with (
        subprocess.Popen(
            [sys.executable, "-c", HOLDER, path],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as holder,
        closing(CheckpointFile(path)) as checkpoints,
    ):
        assert holder.stdout is not None
        holder.stdout.readline()
        checkpoints.of("another")
        with pytest.raises(SourceCheckpointError, match="another process reads one with this checkpoint"):
            checkpoints.of("one")
        holder.kill()
        holder.wait()
        checkpoints.of("one")


def test_a_file_that_cannot_be_used_is_refused_by_name(tmp_path: Path) -> None:
    """A wrong path does not overwrite what is there."""
    path = tmp_path / "notes.txt"
    path.write_text("my notes, which are longer than the header of a database " * 10)
    with pytest.raises(SourceCheckpointError, match=r"notes\.txt: cannot be used for checkpoints"):
        CheckpointFile(path)
    assert path.read_text().startswith("my notes")
    with pytest.raises(SourceCheckpointError, match="none/x"):
        CheckpointFile(tmp_path / "none" / "x")


async def test_a_file_that_cannot_be_written_any_more_is_an_error(tmp_path: Path) -> None:
    """A place that was not kept is not taken for kept."""
    path = tmp_path / "checkpoints"
    with closing(CheckpointFile(path)) as checkpoints:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("DROP TABLE checkpoint")
        with pytest.raises(SourceCheckpointError):
            await checkpoints.of("one").write("1")


CLOSED_WHILE_WRITTEN = """
import sys, threading
from pathlib import Path
from revertrisk.streams.checkpoints import SourceCheckpointError, CheckpointFile

def write_until_closed(file, begun):
    try:
        while True:
            file.write("source", "place")
            begun.set()
    except SourceCheckpointError:
        pass

for number in range(50):
    file, begun = CheckpointFile(Path(sys.argv[1]) / str(number)), threading.Event()
    thread = threading.Thread(target=write_until_closed, args=(file, begun))
    thread.start()
    begun.wait()
    file.close()
    thread.join()
"""


def test_a_file_may_be_closed_while_a_thread_writes(tmp_path: Path) -> None:
    """As at a stop in the middle of a commit: the write is done or refused, and the process lives on."""
    command = [sys.executable, "-c", CLOSED_WHILE_WRITTEN, str(tmp_path)]
    assert subprocess.run(command, check=False, capture_output=True, text=True).stderr == ""
    with closing(CheckpointFile(tmp_path / "0")) as checkpoints:
        assert checkpoints.read("source") == "place"
