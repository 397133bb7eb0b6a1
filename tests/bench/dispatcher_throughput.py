"""How many events a second one dispatcher process on one core hands to a server that does nothing.

Run it as a program: ``python tests/bench/dispatcher_throughput.py [--events 20000] [--source jsonl|kafka]``. The
dispatcher is pinned to one core, the stub and Kafka to the others.
"""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import Process, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import orjson
import uvloop

sys.path.insert(0, str(Path(__file__).parents[2]))

from dispatcher import DispatchSettings, dispatch
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
    process: Process = context.Process(target=serve, args=(there,), daemon=True)  # type: ignore[assignment]
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()


def main() -> None:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--source", choices=("jsonl", "kafka"), default="jsonl")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        target = stack.enter_context(stub())
        (folder / "rule.yaml").write_text(RULE)
        source: dict[str, object] = {"source": f"jsonl:{folder / 'events'}"}
        if arguments.source == "kafka":
            cluster = stack.enter_context(kafka_cluster())
            partitions = arguments.events // EVENTS_IN_A_PARTITION + 1
            cluster.create(TOPIC, partitions)
            cluster.produce(
                TOPIC, ((number % partitions, event(number)) for number in range(arguments.events))
            )
            source = {
                "source": f"kafka:{TOPIC}",
                "kafka": (f"bootstrap.servers={cluster.brokers}",),
                "from_start": True,
                "to_end": True,
            }
        else:
            with (folder / "events").open("wb") as file:
                file.writelines(event(number) + b"\n" for number in range(arguments.events))
        settings = DispatchSettings(
            rule_file=folder / "rule.yaml",
            target=target,
            dead_letters=folder / "dead.jsonl",
            **source,  # type: ignore[arg-type]
        )
        # Only now: what was started before keeps all cores, threads started from here on have this one.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        memory_before = peak_mb()
        cpu, started = time.process_time(), time.perf_counter()
        summary = asyncio.Runner(loop_factory=uvloop.new_event_loop).run(dispatch(settings))
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        assert summary.outcomes["produced"] == arguments.events, summary.as_dict()
        sys.stdout.write(
            f"{arguments.source}: {arguments.events} events in {wall:.1f} s: {arguments.events / wall:.0f} events/s, "
            f"{cpu / arguments.events * 1e6:.0f} us of CPU an event; "
            f"peak memory {memory_before:.0f} MB before, {peak_mb():.0f} MB after\n"
        )


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
