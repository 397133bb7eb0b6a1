"""WORKERS above 1: several whole servers on one port, which count, drain and end as one (E47)."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psutil
import pytest

from revertrisk.cli.programs import Program
from tests.fakes.clients import MODEL, STREAM, Client, Reply, StartServer
from tests.fakes.edited_wikis import EditedWikis, Event
from tests.fakes.loopback import held_port
from tests.fakes.refused_start import refused_start

pytestmark = pytest.mark.ci("several workers")

COUNT = 2
REQUESTS = 60
"""That all of them go to one of two workers has a chance of one in 2**59."""
SAMPLE = re.compile(r"^(\w+(?:\{.*\})?) (\S+)$", re.MULTILINE)


@pytest.fixture
async def fresh() -> AsyncIterator[Client]:
    """A client with a new connection for each request, so that the kernel chooses a worker each time."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as session:
        yield Client(session)


@contextmanager
def several(
    start_server: StartServer, wikis: EditedWikis, gate: str, **environment: str
) -> Iterator[Program]:
    """Run a producer with two workers; not all of them may listen yet."""
    with start_server(
        WIKI_URL=wikis.url,
        EVENTGATE_URL=gate,
        EVENTGATE_STREAM=STREAM,
        WORKERS=str(COUNT),
        **{"SHUTDOWN_DELAY_SECONDS": "60"} | environment,
    ) as program:
        yield program


def log_lines(program: Program, message: str) -> list[dict[str, Any]]:
    """Return the whole lines with a message that the log has by now."""
    lines = program.log.read_bytes().rpartition(b"\n")[0].splitlines()
    return [record for line in lines if (record := orjson.loads(line))["message"] == message]


async def all_listen(program: Program) -> list[dict[str, Any]]:
    """Wait until every worker has said that it listens."""
    while len(lines := log_lines(program, "Listening")) < COUNT:
        assert program.process.poll() is None, program.log.read_text()
        await asyncio.sleep(0.05)
    return lines


def workers_of(program: Program) -> list[psutil.Process]:
    """Return the processes that listen."""
    return [psutil.Process(line["process"]["pid"]) for line in log_lines(program, "Listening")]


async def metrics(client: Client, program: Program) -> dict[str, float]:
    async with client.session.get(f"{program.url}/metrics") as answer:
        return {name: float(value) for name, value in SAMPLE.findall(await answer.text())}


@asynccontextmanager
async def held(client: Client, wikis: EditedWikis) -> AsyncIterator[None]:
    """Let MediaWiki answer nothing meanwhile."""
    faults = f"{wikis.url}/_mock/faults"
    async with client.session.put(faults, json=[{"kind": "delay", "seconds": 3600}]):
        pass
    try:
        yield
    finally:
        async with client.session.delete(faults):
            pass


def send_all(client: Client, program: Program, events: list[Event]) -> list[asyncio.Task[Reply]]:
    """Send events at once, one on each connection."""
    return [
        asyncio.create_task(client.predict(program.url, {"event": event}, reemit=False)) for event in events
    ]


async def in_flight(client: Client, wikis: EditedWikis, count: int) -> None:
    while (await client.get(f"{wikis.url}/_mock/stats"))["in_flight"] < count:
        await asyncio.sleep(0.01)


async def scored_over_grpc(port: int, event: Event) -> float:
    """Score an event's revision over a connection of its own, and return the probability."""
    from kserve import InferenceGRPCClient, InferInput, InferRequest  # noqa: PLC0415 - slow to import

    call = orjson.dumps({"lang": "en", "rev_id": event["revision"]["rev_id"]}).decode()
    own_connection = [("grpc.use_local_subchannel_pool", 1)]
    async with InferenceGRPCClient(url=f"127.0.0.1:{port}", channel_args=own_connection) as client:
        tensor = InferInput("request", [1], "BYTES", [call])
        answer = await client.infer(InferRequest(model_name=MODEL, infer_inputs=[tensor]))
    return float(answer.outputs[1].as_numpy()[0])


async def all_drain(client: Client, program: Program) -> None:
    """Wait until no worker calls itself ready: as many refusals in a row as no single worker would give."""
    refusals = 0
    while refusals < REQUESTS:
        async with client.session.get(f"{program.url}/v2/health/ready") as answer:
            refusals = refusals + 1 if answer.status == 503 else 0


async def test_all_workers_serve_and_any_of_them_tells_the_totals(
    fresh: Client, start_server: StartServer, wikis: EditedWikis, empty_gate: str
) -> None:
    """Each request is served by one worker, counted once, and in /metrics whichever worker is asked; gRPC too."""
    with (
        held_port() as grpc_port,
        several(
            *(start_server, wikis, empty_gate),
            SHUTDOWN_DELAY_SECONDS="0",
            ENABLE_GRPC="true",
            GRPC_PORT=str(grpc_port),
        ) as program,
    ):
        listening = await all_listen(program)
        assert [line["labels"]["event_loop"] for line in listening] == ["uvloop"] * COUNT
        assert len({line["server"]["port"] for line in listening}) == 1
        replies = await asyncio.gather(
            *(
                fresh.predict(program.url, {"event": wikis.plain_edit()}, reemit=False)
                for _ in range(REQUESTS)
            ),
            *(fresh.predict(program.url, b"not JSON") for _ in range(REQUESTS)),
        )
        assert {reply.status for reply in replies} == {200, 400}
        scores = {await scored_over_grpc(grpc_port, wikis.event(1)) for _ in range(5)}
        assert len(scores) == 1
        for _ in range(5):
            seen = await metrics(fresh, program)
            assert seen['revertrisk_requests_total{outcome="produced"}'] == REQUESTS
            assert seen['revertrisk_requests_total{outcome="invalid_json"}'] == REQUESTS
            assert seen['revertrisk_requests_total{outcome="batch"}'] == 5
            assert seen["revertrisk_event_lag_seconds_count"] == REQUESTS
            assert seen[f'request_predict_seconds_count{{model_name="{MODEL}"}}'] == REQUESTS + 5
            (info,) = (name for name in seen if name.startswith("revertrisk_model_info"))
            assert seen[info] == 1
            assert [name for name in seen if "pid=" in name] == [], "a gauge without a multiprocess_mode"
            assert seen["revertrisk_last_accepted_event_timestamp_seconds"] > 1e9
            processes = [psutil.Process(program.process.pid), *workers_of(program)]
            memory = sum(process.memory_info().rss for process in processes)
            assert seen["process_resident_memory_bytes"] == pytest.approx(memory, rel=0.2)
        served_by = {line["process"]["pid"] for line in log_lines(program, "predict")}
        assert served_by == {worker.pid for worker in workers_of(program)}
        assert len(await fresh.accepted(empty_gate)) == REQUESTS
        for path in ("/v2/repository/index", f"/v2/repository/models/{MODEL}/unload"):
            async with fresh.session.post(program.url + path) as answer:
                assert (answer.status, (await answer.json())["code"]) == (404, "not_found")
        folder = Path(psutil.Process(workers_of(program)[0].pid).environ()["PROMETHEUS_MULTIPROC_DIR"])
        assert folder.is_dir()
        assert folder.stat().st_mode & 0o077 == 0
        program.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(program.process.wait, 30) == 0
        assert not folder.exists()


def test_a_single_worker_runs_on_uvloop_as_well(scorer: str, logs: Path) -> None:
    """KServe takes asyncio's event loop with one worker, whatever it is told."""
    port = int(scorer.rpartition(":")[2])
    lines = [line for log in logs.glob("server-*.log") for line in log.read_bytes().splitlines()]
    listening = [orjson.loads(line) for line in lines if b'"message":"Listening"' in line]
    loops = [line["labels"]["event_loop"] for line in listening if line["server"]["port"] == port]
    assert set(loops) == {"uvloop"}  # an earlier server may have had the same port


async def test_sigterm_drains_all_workers(
    fresh: Client, start_server: StartServer, wikis: EditedWikis, empty_gate: str
) -> None:
    """None is ready, all serve on, what is in flight anywhere is finished, and the server exits 0."""
    with several(start_server, wikis, empty_gate) as program:
        workers = {line["process"]["pid"] for line in await all_listen(program)}
        async with held(fresh, wikis):
            events = [wikis.plain_edit() for _ in range(20)]
            tasks = send_all(fresh, program, events)
            await in_flight(fresh, wikis, 2)
            program.process.send_signal(signal.SIGTERM)
            await all_drain(fresh, program)
        replies = [await task for task in tasks]
        late = await fresh.predict(program.url, {"event": wikis.plain_edit()}, reemit=False)
        assert {reply.outcome for reply in (*replies, late)} == {"produced"}
        assert late.headers["connection"] == "close"
        assert {line["process"]["pid"] for line in log_lines(program, "predict")} == workers
        program.process.send_signal(signal.SIGTERM)  # a second one ends the delay
        assert await asyncio.to_thread(program.process.wait, 30) == 0
    assert len(await fresh.accepted(empty_gate)) == len(events) + 1


async def test_a_worker_that_dies_stops_the_others_and_the_server_fails(
    fresh: Client, start_server: StartServer, wikis: EditedWikis, empty_gate: str
) -> None:
    """What the others have under way is finished; the status tells the platform to start anew."""
    with several(start_server, wikis, empty_gate, SHUTDOWN_DELAY_SECONDS="1") as program:
        await all_listen(program)
        victim, survivor = workers_of(program)
        async with held(fresh, wikis):
            events = [wikis.plain_edit() for _ in range(30)]
            tasks = send_all(fresh, program, events)
            await in_flight(fresh, wikis, 2)
            victim.kill()
            await all_drain(fresh, program)
        replies = await asyncio.gather(*tasks, return_exceptions=True)
        assert await asyncio.to_thread(program.process.wait, 30) == 1
        (told,) = log_lines(program, "A worker has ended; stopping")
        assert told["process"]["exit_code"] == -signal.SIGKILL
        finished = [reply for reply in replies if isinstance(reply, Reply)]
        assert {reply.outcome for reply in finished} == {"produced"}
        assert {line["process"]["pid"] for line in log_lines(program, "predict")} == {survivor.pid}
        assert all(isinstance(reply, Reply | aiohttp.ClientConnectionError) for reply in replies)


async def test_workers_end_when_their_parent_is_killed(
    fresh: Client, start_server: StartServer, wikis: EditedWikis, empty_gate: str, tmp_path: Path
) -> None:
    """As on SIGTERM; nobody is left behind on the port."""
    with several(
        start_server, wikis, empty_gate, SHUTDOWN_DELAY_SECONDS="0", TMPDIR=str(tmp_path)
    ) as program:
        await all_listen(program)
        workers = workers_of(program)
        program.process.kill()
        _, alive = await asyncio.to_thread(psutil.wait_procs, workers, 30)
        assert alive == []
        with pytest.raises(aiohttp.ClientConnectionError):
            await fresh.get(f"{program.url}/v2/health/live")


@pytest.mark.parametrize("pause", [1.0, 2.5, 3.5, 5.0])
async def test_a_signal_while_workers_start_is_a_clean_exit(logs: Path, pause: float) -> None:
    """None of them is left behind."""
    log = logs / f"early-workers-{pause}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - forking takes a moment
            [sys.executable, "-m", "revertrisk.cli.app", "serve"],
            env={
                **os.environ,
                "HTTP_PORT": "0",
                "ENABLE_GRPC": "false",
                "WORKERS": "2",
                "SHUTDOWN_DELAY_SECONDS": "0",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        await asyncio.sleep(pause)
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        try:
            status = await asyncio.to_thread(process.wait, 60)
        except subprocess.TimeoutExpired:
            pytest.fail(f"a worker has lost the signal: {log.read_text()[-2000:]}")
        finally:
            process.kill()
            process.wait()
    assert status in (0, -signal.SIGTERM), log.read_text()[-2000:]
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, 30)
    assert alive == []


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"WORKERS": "0"}, "WORKERS"),
        ({"WORKERS": "4"}, "WORKERS: at most 3 without WIKI_URL"),
        ({"WORKERS": "2", "ENABLE_GRPC": "true", "GRPC_PORT": "0"}, "GRPC_PORT: name a port"),
        ({"WORKERS": "2", "DEVICE": "cuda"}, "DEVICE"),
    ],
    ids=["none", "public", "grpc", "found-by-a-worker"],
)
def test_workers_that_cannot_work_stop_the_start(environment: dict[str, str], said: str) -> None:
    """Exit 78 and one message, also for what only a worker can find out."""
    assert said in refused_start(wait_s=100, **environment)
