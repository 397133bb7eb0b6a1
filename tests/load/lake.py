"""Two writers of one lake, killed at any moment, lose nothing and double nothing.

``python -m tests.load.lake --edits 1000000`` writes the events of forty days (page_change, the predictions of both
models, undeletes, hidden authors, backfilled and shadow predictions) in any order, a tenth of them twice, into two
files that have a third of it in common. Two writers read them into one lake and are killed with SIGKILL twenty times in
all. At the end the lake must equal SQLite tables with primary keys, its files must be few, and a replay from the
beginning must add no row and no file.

Prints what it was like as one JSON object. The exit status is 0 if all holds, 1 if something does not.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from revertrisk.lake import Reader
from revertrisk.lake.check import check
from revertrisk.lake.maintenance import compact_table
from revertrisk.lake.open_or_create import open_lake
from revertrisk.lake.schema import PLACE, TABLES
from revertrisk.lake.tables import Lake, files_by_partition
from tests.fakes.lake_events import edits, events_of
from tests.fakes.lake_oracle import Oracle

DAYS = 40
KILLS = 20
PARTS = 48
"""The events are shuffled in so many parts; each of both files has two thirds of them."""
SPARE_FILES = 40
EDITS_A_SECOND = 25_000
"""Every other writer is killed within the time that all edits would take at this rate, the others within a batch."""
SOONEST_S, LATEST_S = 1.5, 6.0
BATCH_S = 2.0
"""About as long as a batch takes to write."""
MOST_SHOWN = 5
DATA_TABLES = [table for table in TABLES if table is not PLACE]


@dataclass
class Run:
    """What a run was like."""

    events: int = 0
    kills: int = 0
    peak_kb: int = 0
    """The most memory of any writer."""
    seconds: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def write_events(folder: Path, number: int, seed: int, oracle: Oracle) -> tuple[list[Path], int]:
    """Write two files of shuffled events; returns them, and how many events both hold together, duplicates included."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    parts = [folder / f"part-{part}" for part in range(PARTS)]
    written = 0
    with ExitStack() as open_parts:
        out = [open_parts.enter_context(part.open("wb")) for part in parts]
        for edit in edits(number, days=DAYS, seed=seed):
            for event in events_of(edit):
                oracle.take(event)
                line = orjson.dumps(event) + b"\n"
                for _ in range(2 if chance.random() < 0.1 else 1):
                    chance.choice(out).write(line)
                    written += 1
    files = [folder / "first.jsonl", folder / "second.jsonl"]
    with ExitStack() as open_files:
        first, second = (open_files.enter_context(file.open("wb")) for file in files)
        for place, part in enumerate(parts):
            lines = part.read_bytes().splitlines(keepends=True)
            chance.shuffle(lines)
            part.unlink()
            targets: list[BinaryIO] = []
            targets += [first] if place < PARTS * 2 // 3 else []
            targets += [second] if place >= PARTS // 3 else []
            for target in targets:
                target.writelines(lines)
    return files, written


def start(folder: Path, source: Path, found: Run, *more: str) -> subprocess.Popen[bytes]:
    """Start a writer of the folder's lake, and note its memory while it runs."""
    command = [sys.executable, "-m", "revertrisk.cli.app", "lake", "run", "--to", str(folder / "lake")]
    writer = subprocess.Popen(
        [*command, "--source", f"jsonl:{source}", *more],
        env=os.environ | {"LAKE_KEY_FILE": str(folder / "key")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    threading.Thread(target=_note_memory, args=(writer, found), daemon=True).start()
    return writer


def _note_memory(writer: subprocess.Popen[bytes], found: Run) -> None:
    """Note the most memory of a process while it runs.

    ``getrusage`` of children does not tell: it counts the memory of this process, from which they were made.
    """
    with suppress(OSError):  # it has ended
        status = Path(f"/proc/{writer.pid}/status")
        while peak := re.search(r"VmHWM:\s+(\d+)", status.read_text(encoding="ascii")):
            found.peak_kb = max(found.peak_kb, int(peak[1]))
            time.sleep(0.2)


def run(folder: Path, number: int, seed: int = 11) -> Run:
    """Play it in a folder; returns what it was like, with the problems found."""
    found, oracle = Run(), Oracle()
    began = time.monotonic()
    files, found.events = write_events(folder, number, seed, oracle)
    found.seconds["generating"] = time.monotonic() - began
    chance = random.Random(seed)  # noqa: S311 - no secret
    latest = max(LATEST_S, number / EDITS_A_SECOND)
    began = time.monotonic()
    again: tuple[str, ...] = ()
    for _ in range(KILLS):
        if found.kills >= KILLS:
            break
        kills_before = found.kills
        writers = [start(folder, file, found, *again) for file in files]
        for writer in writers:
            if found.kills % 2:
                soonest, last = SOONEST_S, latest
            else:  # in the next batch, between the commits of its tables
                _wait_for_commit(folder, writer)
                soonest, last = 0.0, BATCH_S
            try:
                writer.communicate(timeout=chance.uniform(soonest, last))
            except subprocess.TimeoutExpired:
                writer.kill()
                writer.communicate()
                found.kills += 1
        if found.kills == kills_before:  # everything is in the lake: from now on they are killed in a replay
            again = ("--from-beginning",)
    _finish(folder, files, found)
    found.seconds["writing"] = time.monotonic() - began
    lake = open_lake(str(folder / "lake"))
    _judge(lake, oracle, found)
    began = time.monotonic()
    before = {table.name: sorted(lake.files(table)) for table in DATA_TABLES}
    said = _finish(folder, files, found, "--from-beginning")
    found.seconds["replay"] = time.monotonic() - began
    found.problems += [f"a replay wrote: {text}" for text in said if "nothing new" not in text]
    after = {table.name: sorted(lake.files(table)) for table in DATA_TABLES}
    found.problems += [
        f"a replay changed the files of {name}" for name in before if before[name] != after[name]
    ]
    return found


def _wait_for_commit(folder: Path, writer: subprocess.Popen[bytes]) -> None:
    """Wait until a batch is written, of whichever writer, or this one ends."""
    versions = folder / "lake" / PLACE.name / "_delta_log"
    before = len(list(versions.glob("*.json")))
    while writer.poll() is None and len(list(versions.glob("*.json"))) == before:
        time.sleep(0.02)


def _finish(folder: Path, files: Sequence[Path], found: Run, *more: str) -> list[str]:
    """Let both writers come to their end; returns what they said."""
    said = []
    writers = [start(folder, file, found, *more) for file in files]
    for writer in writers:
        words, errors = writer.communicate()
        said.append(words.decode().strip())
        if writer.returncode != 0:
            found.problems.append(f"a writer ended with {writer.returncode}: {errors.decode()[-1000:]}")
    return said


def _judge(lake: Lake, oracle: Oracle, found: Run) -> None:
    began = time.monotonic()
    reader = Reader(lake.root)
    differences = oracle.differences(reader.connection)
    reader.close()
    if differences:
        found.problems.append(f"{len(differences)} differences, such as {differences[:MOST_SHOWN]}")
    found.problems += [f"lake check: {finding}" for finding in check(lake)]
    for table in DATA_TABLES:
        # Two writers that end at once leave to each other what both would compact.
        compact_table(lake, table, datetime.now(UTC).date())
        files = files_by_partition(lake, table)
        if sum(files.values()) > len(files) + SPARE_FILES:
            found.problems.append(f"{table.name}: {sum(files.values())} files in {len(files)} partitions")
    found.seconds["judging"] = time.monotonic() - began


def report(found: Run) -> dict[str, Any]:
    """Return what a run was like, for people."""
    return {
        "events": found.events,
        "kills": found.kills,
        "seconds": {what: round(seconds, 1) for what, seconds in found.seconds.items()},
        "largest_writer_mb": round(found.peak_kb / 1024),
        "problems": found.problems,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print what it was like as one JSON object, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--edits", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument(
        "--to", type=Path, help="keep everything in this new folder; default: a temporary one"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="revertrisk-lake-") as scratch:
        folder = options.to or Path(scratch)
        folder.mkdir(exist_ok=True, parents=True)
        found = run(folder, options.edits, options.seed)
    sys.stdout.write(orjson.dumps(report(found), option=orjson.OPT_INDENT_2).decode() + "\n")
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
