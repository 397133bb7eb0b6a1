"""Holds a lake in an object store against the oracle: ``python -m tests.peers.s3``.

The store is moto's S3 server, in a virtual environment of its own (`.venv-peers`), because it brings packages that
change what jsonschema checks. Two writers fill a lake at once and are killed again and again, while a reader looks;
then the lake must equal the oracle, a replay must change nothing, an erased user must be in no object, and a store
without conditional PUT must be refused. The exit status is 0 if all holds, 1 if something does not.
"""

# ruff: noqa: T201 - a program that prints what it found

import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

from revertrisk.event_platform.streams import PAGE_CHANGE_STREAM
from revertrisk.lake import Reader
from revertrisk.lake.open_or_create import open_lake, open_lake_with_key
from revertrisk.lake.schema import TABLES
from revertrisk.lake.tables import files_by_partition
from tests.fakes.lake_events import as_lines, edits, page_change, prediction
from tests.fakes.lake_oracle import differences
from tests.fakes.loopback import held_port
from tests.integration.lake.test_run import events_of
from tests.peers.lake_programs import arguments, conclude, peer_python, said, start

SERVER = Path(__file__).with_name("s3_server.py")
SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=peer/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
)
"""The server looks for one and does not check it."""
LAKE = "s3://lake/a/month"
RUN = ("lake", "run", "--actor-key-days", "36500", "--to")
"""The edits are of 2026, and keep their authors' keys."""
DATA_TABLES = [table for table in TABLES if table.name != "place"]


def main() -> int:
    """Run every check, and print what does not hold."""
    given = arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder, s3_server(Path(folder)):
        problems = list(check(Path(folder), given.edits, given.kills, given.seed))
    return conclude("a lake in an object store", problems)


def check(folder: Path, number: int, kills: int, seed: int) -> Iterator[str]:
    """Yield what does not hold."""
    events = events_of(number, days=5)
    third = len(events) // 3
    sources = []
    for name, part in (("a", events[: 2 * third]), ("b", events[third:])):
        (folder / name).write_bytes(b"\n".join(as_lines(part)) + b"\n")
        sources.append(f"jsonl:{folder / name}")

    with looking() as seen:
        killed = fill(folder, sources, kills, seed)
    print(f"{len(events):,} events, two writers, {killed} of them killed; {seen.reads} reads in the meantime")
    yield from seen.problems

    with closing(Reader(LAKE)) as reader:
        yield from differences(reader.connection, events)
    yield from said(folder, 0, "no findings", "lake", "check", "--lake", LAKE)
    lake = open_lake(LAKE)
    for table in DATA_TABLES:
        files = files_by_partition(lake, table)
        if sum(files.values()) > len(files) + 40:
            yield f"{table.name}: {sum(files.values())} files in {len(files)} partitions"

    before = {table.name: sorted(lake.files(table)) for table in DATA_TABLES}
    again = ("--from-beginning", "--source", sources[0], "--source", sources[1])
    yield from said(folder, 0, ": nothing new", *RUN, LAKE, *again)
    if {table.name: sorted(lake.files(table)) for table in DATA_TABLES} != before:
        yield "a replay has written data files"

    changes = [event for event in events if event["meta"]["stream"] == PAGE_CHANGE_STREAM]
    names = Counter(f"{event['wiki_id']}:{event['performer']['user_text']}" for event in changes)
    yield from erasure(folder, names.most_common(1)[0][0])
    yield from refusals(folder)


class Seen:
    """What a reader saw while the lake was being written."""

    def __init__(self) -> None:
        self.reads = 0
        self.problems: list[str] = []


@contextmanager
def looking() -> Iterator[Seen]:
    """Read in a loop: no key may stand twice, and no row that was there may be gone."""
    seen, stop = Seen(), threading.Event()

    def look() -> None:
        rows = 0
        while not stop.is_set():
            try:
                with closing(Reader(LAKE)) as reader:
                    query = "SELECT count(*), count(DISTINCT (wiki_id, rev_id)) FROM revision"
                    ((number, distinct),) = reader.query(query).fetchall()
            except Exception as exc:  # noqa: BLE001 - whatever a reader gets is a finding
                if rows:  # before, the lake may be half made
                    seen.problems.append(f"a reader got {type(exc).__name__}: {exc}")
                time.sleep(0.2)
                continue
            seen.reads += 1
            if number != distinct or number < rows:
                seen.problems.append(f"a reader saw {number} rows, {distinct} distinct, after {rows}")
            rows = number

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def fill(folder: Path, sources: list[str], kills: int, seed: int) -> int:
    """Fill the lake with a writer for each source, all at once, killed so often; return how many were cut off."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    killed = 0
    for last in [False] * kills + [True]:
        writers = [start(folder, *RUN, LAKE, "--source", source) for source in sources]
        for writer in writers:
            try:
                _, errors = writer.communicate(timeout=None if last else chance.uniform(1.5, 6))
            except subprocess.TimeoutExpired:
                writer.kill()
                writer.communicate()
                killed += 1
                continue
            if writer.returncode:
                raise SystemExit(f"a writer ended with {writer.returncode}: {errors}")
    return killed


def erasure(folder: Path, erased: str) -> Iterator[str]:
    """Erase a user, then look for name and key in every byte of the store, and for the key in every row."""
    actor_keys = open_lake_with_key(LAKE, str(folder / "key")).actor_keys
    if actor_keys is None:
        raise SystemExit("the lake was opened without its key")
    wiki_id, _, name = erased.partition(":")
    key = actor_keys.of(wiki_id, name)
    query = f"SELECT count(*) FROM revision WHERE actor_key = '{key}'"  # noqa: S608 - hexadecimal digits
    with closing(Reader(LAKE)) as reader:
        if reader.query(query).fetchall() == [(0,)]:
            yield f"{erased} has no row, so there is nothing to erase"
    yield from said(
        folder, 0, "rows erased", "lake", "erase", "--lake", LAKE, "--actor", erased, "--grace", "0"
    )
    with closing(Reader(LAKE)) as reader:
        if reader.query(query).fetchall() != [(0,)]:
            yield f"{erased} still has rows"
    for address, content in objects():
        if key.encode() in content or name.encode() in content:
            yield f"{address}: holds the erased user's name or key"


def refusals(folder: Path) -> Iterator[str]:
    """Ask for what cannot be had: the answer is a sentence, and 78 or 1."""
    (folder / "one").write_bytes(
        b"\n".join(as_lines(each for edit in edits(3) for each in (page_change(edit), prediction(edit))))
    )
    run = (*RUN[:2], "--source", f"jsonl:{folder / 'one'}", "--to")
    yield from said(folder, 78, "a lake needs a store with conditional PUT", *run, "s3://unsafe/lake")
    yield from said(folder, 78, "NoSuchBucket", *run, "s3://missing/lake")
    yield from said(folder, 78, "expected s3://BUCKET/PREFIX", *run, "s3://lake")
    yield from said(folder, 78, "expected a lake or an empty folder", *run, "s3://lake/a")
    yield from said(folder, 78, "there is no lake here", "sql", "--lake", "s3://lake/b", "SELECT 1")
    with held_port() as port:
        dead = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        yield from said(folder, 1, "error sending request", "sql", "--lake", LAKE, "SELECT 1", **dead)
    unsafe = {"AWS_S3_ALLOW_UNSAFE_RENAME": "true"}
    yield from said(folder, 78, "AWS_S3_ALLOW_UNSAFE_RENAME", *run, LAKE, **unsafe)


def objects() -> Iterator[tuple[str, bytes]]:
    """Yield every object of the bucket with its bytes, asked of the store itself."""
    after, more = "", True
    while more:
        listing = asked(f"lake?list-type=2&start-after={quote(after)}").decode()
        more = "<IsTruncated>true" in listing
        for part in listing.split("<Key>")[1:]:
            after = part.partition("</Key>")[0]
            yield after, asked(f"lake/{quote(after)}")


def asked(path: str, method: str = "GET") -> bytes:
    address = f"{os.environ['AWS_ENDPOINT_URL']}/{path}"
    with urlopen(Request(address, method=method, headers={"Authorization": SIGNATURE})) as answer:  # noqa: S310
        return bytes(answer.read())


@contextmanager
def s3_server(folder: Path) -> Iterator[None]:
    """Run the server with its buckets; what the AWS variables say is for this process and its children."""
    python = peer_python("moto.server", "moto[server]==5.2.5")
    with (folder / "s3.log").open("wb") as log:
        server = subprocess.Popen([python, SERVER], stdout=subprocess.PIPE, stderr=log, text=True)
    port = server.stdout.readline().strip() if server.stdout else ""
    if not port:
        raise SystemExit(f"the S3 server has ended: {(folder / 's3.log').read_text()[-1000:]}")
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        AWS_ACCESS_KEY_ID="peer",
        AWS_SECRET_ACCESS_KEY="peer",  # noqa: S106 - the server takes any
        AWS_REGION="us-east-1",
    )
    try:
        for bucket in ("lake", "unsafe"):
            asked(bucket, "PUT")
        yield
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
