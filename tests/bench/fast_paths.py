"""What stands on the hot path in place of a library, against that library: CPU time of one call of each.

Run it as a program: ``python -m tests.bench.fast_paths``. Tests hold each pair to the same answers; these figures are
the reason for having two.
"""

import asyncio
import logging
import os
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import ecs_logging
import orjson
import uvloop

from revertrisk.event_platform.prediction_change import PREDICTION_SCHEMA
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from revertrisk.runtime.http_client import HttpClient
from revertrisk.runtime.logs import Fields, configure_logging, log_request, start_request
from tests.bench.upstreams import upstreams

POSTS = 5000
CONCURRENCY = 32
LINES = 20_000
VERDICTS = 500
ROUNDS = 5
BODY = orjson.dumps({"padding": "x" * 2500})
LEFT_OUT = ("log.original", "log.origin", "process.thread", "process.name")


@dataclass(frozen=True, slots=True)
class Pair:
    """CPU time of one call, in microseconds, the least of all rounds: what interrupts only ever adds."""

    what: str
    library: str
    library_us: float
    ours: str
    ours_us: float

    def row(self) -> str:
        """Write a row of the table."""
        return (
            f"| {self.what} | {self.library} {self.library_us:.1f} | {self.ours} {self.ours_us:.1f} "
            f"| {self.library_us / self.ours_us:.1f} |"
        )


def measure() -> list[Pair]:
    """Measure every pair, turn by turn."""
    with upstreams() as behind:
        posts = asyncio.Runner(loop_factory=uvloop.new_event_loop).run(_posts(behind.url))
    return [posts, *_log_lines(), _verdicts()]


async def _posts(url: str) -> Pair:
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "bench"},
        ) as session,
        HttpClient(
            tls=ssl.create_default_context(), connections_per_origin=CONCURRENCY, max_body_bytes=2**20
        ) as http,
    ):

        async def with_aiohttp() -> None:
            async with session.post(
                f"{url}/v1/events", data=BODY, headers={"Content-Type": "application/json"}
            ) as answer:
                assert answer.status == 201

        headers = {"User-Agent": "bench", "Content-Type": "application/json"}
        intake = http.endpoint("POST", f"{url}/v1/events", headers)

        async def with_ours() -> None:
            assert (await intake.send(BODY, timeout=5)).status == 201

        rounds = [(await _cpu_of_posts(with_aiohttp), await _cpu_of_posts(with_ours)) for _ in range(ROUNDS)]
    return _pair("a POST of 2.5 kB, 32 at a time", "aiohttp", "http_client.py", rounds)


async def _cpu_of_posts(post: Callable[[], Awaitable[None]]) -> float:
    left = iter(range(POSTS))

    async def work() -> None:
        for _ in left:
            await post()

    began = time.process_time()
    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return (time.process_time() - began) / POSTS


def _log_lines() -> list[Pair]:
    labels = {
        "form": "EventRequest",
        "outcome": "produced",
        "wiki_id": "enwiki",
        "rev_id": 123456789,
        "fetch_ms": 1.234,
        "score_ms": 1.234,
        "emit_ms": 1.234,
    }
    fields: Fields = {
        "http": {"request": {"id": "7f2c9c52-6a2b-4b0a-9d3e-2f1f5f1d2c3b"}, "response": {"status_code": 200}},
        "event": {"duration": 1234567, "outcome": "success"},
        "labels": labels,
    }
    with Path(os.devnull).open("w") as nowhere:
        handler = logging.StreamHandler(nowhere)
        handler.setFormatter(ecs_logging.StdlibFormatter(exclude_fields=LEFT_OUT))
        theirs = logging.getLogger("theirs")
        theirs.addHandler(handler)
        theirs.propagate = False
        configure_logging("ecs", "INFO", nowhere, hides_arguments=True)
        ours = logging.getLogger("model_server.request")
        start_request("7f2c9c52-6a2b-4b0a-9d3e-2f1f5f1d2c3b").update(fields)
        rounds = [
            (
                _cpu_of(lambda: theirs.info("predict", extra=fields), LINES),
                _cpu_of(lambda: ours.info("predict"), LINES),
                _cpu_of(lambda: log_request(ours, logging.INFO, "predict", fields), LINES),
            )
            for _ in range(ROUNDS)
        ]
    logging.basicConfig(force=True)  # nothing is written to the closed file
    return [
        _pair("a log line", "ecs-logging", "logs.py", [(library, record) for library, record, _ in rounds]),
        _pair(
            "a request's log line", "logging", "log_request", [(record, line) for _, record, line in rounds]
        ),
    ]


def _verdicts() -> Pair:
    schema = SchemaRepository().load(PREDICTION_SCHEMA)
    validator = EventValidator(schema)
    (event,) = schema["examples"][:1]
    rounds = [
        (
            _cpu_of(lambda: validator.violations(event), VERDICTS),
            _cpu_of(lambda: validator.is_valid(event), LINES),
        )
        for _ in range(ROUNDS)
    ]
    return _pair("the verdict on a prediction event", "jsonschema", "jsonschema-rs", rounds)


def _cpu_of(call: Callable[[], object], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - began) / times


def _pair(what: str, library: str, ours: str, rounds: list[tuple[float, float]]) -> Pair:
    library_us, ours_us = (1e6 * min(round_[side] for round_ in rounds) for side in (0, 1))
    return Pair(what, library, library_us, ours, ours_us)


def section() -> str:
    """Measure every pair, and write the table."""
    head = [
        "",
        "What stands on the hot path in place of a library; tests hold each pair to the same answers. CPU us a call.",
        "",
        "| call | library | instead | ratio |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *(pair.row() for pair in measure())])


if __name__ == "__main__":
    sys.stdout.write(section() + "\n")
