"""How many events a second one dispatcher process on one core hands to a server that does nothing.

``python -m tests.bench.dispatcher_throughput [--events 60000] [--source jsonl|kafka]`` prints, for each source, events
a second, CPU for each event, and the memory in use before the first event and after each third of them. The dispatcher
has a process and a core of its own; the stub, and Kafka's mock brokers, have the others.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import orjson
import uvloop

from revertrisk.dispatcher import DispatchSettings, Outcome, dispatch
from tests.fakes.kafka_cluster import kafka_cluster

TOPIC = "eqiad.mediawiki.page_change.v1"
EVENTS_IN_A_PARTITION = 1500
"""The mock brokers keep 5 MiB of a partition and forget what is older."""
PADDING = "x" * 2000
"""A real event has about 3 kB."""
RULE = """
rules:
  - name: stub
    topic: mediawiki.page_change.v1
    match:
      wiki_id: /^(?!.*(?:commons|meta)).*wiki$/
      page: {is_redirect: false, namespace_id: 0}
    concurrency: 40
    exec:
      method: post
      uri: '{{globals.target}}/v1/models/stub%3Apredict'
      headers: {content-type: application/json}
      body: {event: '{{globals.message}}'}
"""


def event(number: int) -> bytes:
    return orjson.dumps(
        {
            "wiki_id": "enwiki",
            "page": {"page_id": number, "is_redirect": False, "namespace_id": 0},
            "comment": PADDING,
            "meta": {
                "stream": "mediawiki.page_change.v1",
                "id": str(number),
                "dt": "2026-11-21T08:00:00Z",
                "uri": f"https://en.wikipedia.org/wiki/{number}",
                "request_id": f"r-{number}",
            },
        }
    )


class Stub(asyncio.Protocol):
    """Answers every request with 200 as fast as it can; a request ends where its body does."""

    ANSWER = b"HTTP/1.1 200 OK\r\nx-revertrisk-outcome: produced\r\ncontent-length: 2\r\n\r\n{}"

    def __init__(self) -> None:
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end]).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._received) < end + 4 + length:
                return
            del self._received[: end + 4 + length]
            self._transport.write(self.ANSWER)


def serve(tell: Connection) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
        tell.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(run())


@contextmanager
def stub() -> Iterator[str]:
    """Run the stub in a process of its own."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run took."""

    seconds: float
    cpu_seconds: float
    memory_mb: tuple[float, ...]
    """Before the first event, and after each third."""


def measure(settings: dict[str, Any], events: int, tell: Connection) -> None:
    """Dispatch, as a process of its own on one core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    memory = [memory_mb()]
    done = 0

    def note(_: Outcome) -> None:
        nonlocal done
        done += 1
        if done % (events // 3) == 0:
            memory.append(memory_mb())

    cpu, started = time.process_time(), time.perf_counter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        summary = runner.run(dispatch(DispatchSettings(**settings), note))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    assert summary.outcomes == {"produced": events}, summary.as_dict()
    tell.send(Figures(seconds, cpu, tuple(memory)))


def memory_mb() -> float:
    """Return the memory in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def run(source: str, events: int) -> Figures:
    """Make the events, and have a dispatcher read them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "rule.yaml").write_text(RULE)
        settings: dict[str, Any] = {
            "rule_file": folder / "rule.yaml",
            "target": stack.enter_context(stub()),
            "dead_letters": folder / "dead.jsonl",
        }
        if source == "kafka":
            cluster = stack.enter_context(kafka_cluster())
            partitions = events // EVENTS_IN_A_PARTITION + 1
            cluster.create(TOPIC, partitions)
            cluster.produce(TOPIC, ((number % partitions, event(number)) for number in range(events)))
            settings |= {
                "source": f"kafka:{TOPIC}",
                "kafka": (f"bootstrap.servers={cluster.brokers}",),
                "from_start": True,
                "to_end": True,
            }
        else:
            with (folder / "events").open("wb") as file:
                file.writelines(event(number) + b"\n" for number in range(events))
            settings["source"] = f"jsonl:{folder / 'events'}"
        here, there = get_context("spawn").Pipe()
        process = get_context("spawn").Process(target=measure, args=(settings, events, there))
        process.start()
        process.join()
        assert process.exitcode == 0
        figures = here.recv()
        assert isinstance(figures, Figures)
        return figures


def main() -> None:
    """Measure, and print a line for each source."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--source", choices=("jsonl", "kafka"), action="append")
    arguments = parser.parse_args()
    events = arguments.events // 3 * 3
    for source in arguments.source or ("jsonl", "kafka"):
        figures = run(source, events)
        memory = ", ".join(f"{megabytes:.0f}" for megabytes in figures.memory_mb)
        sys.stdout.write(
            f"{source}: {events} events, {events / figures.seconds:.0f} events/s, "
            f"{figures.cpu_seconds / events * 1e6:.0f} us of CPU each; "
            f"memory at the start and after each third: {memory} MB\n"
        )


if __name__ == "__main__":
    main()
