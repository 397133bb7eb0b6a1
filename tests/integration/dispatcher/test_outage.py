"""The real programs through an outage of the model server that outlasts every retry: in the end nothing is missing."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from mock_mediawiki.page_changes import page_changes
from mock_mediawiki.samples import SampleHistory
from revertrisk.dispatcher.rule_language.rule import Taken
from revertrisk.dispatcher.rule_language.rule_file import load_rules
from revertrisk.wiki.table import WikiTable
from tests.fakes.clients import STREAM, Client, StartServer
from tests.fakes.kafka_cluster import QUICKEST_GROUPS, KafkaCluster
from tests.fakes.loopback import held_port

# Servers are started several times, and retries last twenty seconds.
pytestmark = [pytest.mark.timeout(300), pytest.mark.ci("long outages")]

Event = dict[str, Any]

RULE = Path(str(files("revertrisk.dispatcher") / "rules/revertrisk-language-agnostic.yaml"))
PRODUCTION, SHORTENED = (
    ("retry_delay: 60000", "retry_factor: 6"),
    ("retry_delay: 10050", "retry_factor: 1"),
)
"""Of the schedule only the delays change; what is over ten seconds is still spent in the retry topic."""
TRIES = 3
PARTITIONS = 2
TOPIC = "codfw.mediawiki.page_change.v1"
GROUP = "outage"
WINDOW = ("--since", "2025-01-01T00:00:00Z", "--until", "2027-01-01T00:00:00Z")


@dataclass
class Outage:
    """An operator's folder, commands, and a model server that can be away."""

    folder: Path
    client: Client
    gate: str
    start_server: StartServer
    environment: dict[str, str]
    port: int
    events: Sequence[Event]
    _server: ExitStack = field(default_factory=ExitStack)

    @property
    def target(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def begin(self) -> None:
        """Kill the server as a lost machine does: connections are refused from now on."""
        self._server.close()

    def end(self) -> None:
        """Start the server, always at the same address."""
        program = self._server.enter_context(self.start_server(HTTP_PORT=str(self.port), **self.environment))
        self._server.callback(program.process.wait)
        self._server.callback(program.process.kill)

    def taken(self, events: Sequence[Event]) -> list[int]:
        """Return the revisions that the production rule takes, in order."""
        (rule,) = load_rules(self.folder / "rule.yaml", target=self.target)
        return sorted(event["revision"]["rev_id"] for event in events if isinstance(rule.judge(event), Taken))

    async def start(self, command: str, *arguments: object) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-W", "error", "-m", "revertrisk.cli.app", command, "--rule", str(self.folder / "rule.yaml")),
            *map(str, arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, command: str, *arguments: object) -> tuple[int | None, str, str]:
        process = await self.start(command, *arguments)
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    async def missing(self) -> tuple[int | None, list[int], dict[str, Any]]:
        """Reconcile with what the gate has accepted by now; returns the status, the revisions, and the counts.

        From a file: the mock brokers do not know which offset belongs to a time.
        """
        predictions = self.folder / "predictions.jsonl"
        accepted = await self.client.accepted(self.gate)
        predictions.write_text("".join(json.dumps(event) + "\n" for event in accepted))
        status, out, err = await self.run(
            *("reconcile", "--events", f"jsonl:{self.file}", "--predictions", f"jsonl:{predictions}"),
            *(*WINDOW, *self.skips),
        )
        return status, sorted(json.loads(line)["rev_id"] for line in out.splitlines()), json.loads(err)

    async def predicted(self) -> list[int]:
        return sorted(event["revision"]["rev_id"] for event in await self.client.accepted(self.gate))

    @property
    def file(self) -> Path:
        """All events."""
        return self.folder / "events.jsonl"

    @property
    def skips(self) -> tuple[object, ...]:
        return ("--skips", self.folder / "skips.jsonl")


@pytest.fixture(scope="module")
def sample_events() -> list[Event]:
    wikis = WikiTable.load()
    return list(page_changes(SampleHistory.shipped(wikis), wikis))


@pytest.fixture
async def outage(
    tmp_path: Path,
    client: Client,
    empty_gate: str,
    sample_wiki: str,
    start_server: StartServer,
    sample_events: list[Event],
) -> AsyncIterator[Outage]:
    rule = RULE.read_text()
    for production, shortened in zip(PRODUCTION, SHORTENED, strict=True):
        assert production in rule
        rule = rule.replace(production, shortened)
    (tmp_path / "rule.yaml").write_text(rule)
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in sample_events))
    (tmp_path / "skips.jsonl").touch()
    environment = {"WIKI_URL": sample_wiki, "EVENTGATE_URL": empty_gate, "EVENTGATE_STREAM": STREAM}
    with held_port() as port:
        outage = Outage(tmp_path, client, empty_gate, start_server, environment, port, sample_events)
        yield outage
        outage.begin()


@pytest.fixture
def topic(cluster: KafkaCluster) -> Iterator[str]:
    cluster.create(TOPIC, PARTITIONS)
    return TOPIC


def produced(cluster: KafkaCluster, topic: str, records: Sequence[Any]) -> None:
    cluster.produce(
        topic, ((number % PARTITIONS, json.dumps(record).encode()) for number, record in enumerate(records))
    )


def kafka(cluster: KafkaCluster) -> list[str]:
    settings = (f"bootstrap.servers={cluster.brokers}", *QUICKEST_GROUPS)
    return [part for setting in settings for part in ("--kafka-setting", setting)]


async def test_on_kafka_the_retry_topic_is_exhausted_and_a_redrive_brings_everything_back(
    outage: Outage, cluster: KafkaCluster, topic: str
) -> None:
    """Half of the events meet a server, the others none through all their tries; afterwards both have predictions."""
    before, during = outage.events[::2], outage.events[1::2]
    dead, group = f"{GROUP}.dead", f"{GROUP}-group"
    cluster.create(dead, 1)
    produced(cluster, topic, before)
    outage.end()
    dispatching = await outage.start(
        *("dispatch", "--source", "kafka:mediawiki.page_change.v1", "--datacentre", "codfw"),
        *("--group", group, "--from-start", "--target", outage.target, "--dead-letters", f"kafka:{dead}"),
        *(*outage.skips, *kafka(cluster)),
    )
    while sum(cluster.committed(group, topic, PARTITIONS).values()) < len(before):
        await asyncio.sleep(0.1)
    outage.begin()
    produced(cluster, topic, during)
    given_up = outage.taken(during)
    while len(cluster.read(dead, 1)) < len(given_up):
        await asyncio.sleep(0.5)
    dispatching.terminate()
    out, _ = await dispatching.communicate()
    outcomes = json.loads(out)["outcomes"]
    assert outcomes["postponed:connection_refused"] == (TRIES - 1) * len(given_up)
    assert outcomes["given_up:connection_refused"] == len(given_up)
    letters = [json.loads(value) for value in cluster.read(dead, 1)]
    assert sorted(letter["event"]["revision"]["rev_id"] for letter in letters) == given_up
    assert {letter["attempts"] for letter in letters} == {TRIES}

    status, missing, _ = await outage.missing()
    assert status == 1
    assert missing
    assert set(missing) <= set(given_up)

    outage.end()
    status, out, err = await outage.run(
        *("redrive", "--source", f"kafka:{dead}", "--target", outage.target, *outage.skips, *kafka(cluster))
    )
    assert (status, json.loads(out)["read"]) == (0, len(given_up)), err
    status, missing, counts = await outage.missing()
    assert (status, missing) == (0, []), counts
    predicted = await outage.predicted()
    assert len(predicted) == len(set(predicted)) == counts["predicted"]


async def test_from_a_file_the_dead_letters_bring_everything_back(outage: Outage) -> None:
    """The same without Kafka: a file in, a file of dead letters out, and a second redrive finds nothing to do."""
    dead = outage.folder / "dead.jsonl"
    given_up = outage.taken(outage.events)
    status, out, _ = await outage.run(
        *("dispatch", "--source", f"jsonl:{outage.file}", "--target", outage.target, "--concurrency", 200),
        *("--dead-letters", dead, *outage.skips),
    )
    assert (status, json.loads(out)["given_up"]) == (1, len(given_up))
    status, missing, _ = await outage.missing()
    assert (status, set(missing) <= set(given_up), await outage.predicted()) == (1, True, [])

    outage.end()
    redrive = ("redrive", "--source", f"dead-letters:{dead}", "--target", outage.target, *outage.skips)
    status, out, err = await outage.run(*redrive)
    assert (status, json.loads(out)["read"]) == (0, len(given_up)), err
    status, again, counts = await outage.missing()
    assert (status, again) == (0, []), counts
    assert await outage.predicted() == missing
    status, out, _ = await outage.run(*redrive)
    assert (status, json.loads(out)["read"]) == (0, 0)


async def test_what_change_propagation_gave_up_is_scored(outage: Outage, cluster: KafkaCluster) -> None:
    """Its error topic holds events, and retry messages around events: each gets its prediction; other errors do not."""
    topic = "codfw.changeprop.error"
    cluster.create(topic, PARTITIONS)
    scorable = [
        event for event in outage.events if event["revision"]["rev_id"] in outage.taken(outage.events)
    ]
    errors = [
        error(event if number % 2 else retried(event), "revertrisk-language-agnostic")
        for number, event in enumerate(scorable)
    ]
    elsewhere = {"$schema": "/resource_change/1.0.0", "meta": {"stream": "resource_change", "uri": "x"}}
    produced(cluster, topic, [*errors, error(elsewhere, "mw_purge")])
    outage.end()
    status, out, err = await outage.run(
        *("redrive", "--source", f"kafka:{topic}", "--target", outage.target, *outage.skips, *kafka(cluster))
    )
    outcomes = json.loads(out)["outcomes"]
    assert (status, outcomes.keys() & {"unmatched:meta.stream"}) == (0, set()), err
    status, missing, counts = await outage.missing()
    assert (status, missing, counts["predicted"]) == (0, [], outcomes["produced"])


def error(message: Event, rule: str) -> Event:
    """An error of change-propagation as its topic holds it."""
    return {
        "$schema": "/error/0.0.3",
        "meta": {
            "stream": "changeprop.error",
            "topic": "changeprop.error",
            "id": "3f0b8f06-9c5c-11ee-8c90-0242ac120002",
            "dt": "2026-10-02T02:00:00.000Z",
            "uri": message["meta"]["uri"],
            "request_id": message["meta"].get("request_id", "0"),
            "domain": message["meta"].get("domain", "localhost"),
        },
        "emitter_id": f"changeprop#{rule}",
        "raw_event": json.dumps(message),
        "message": "Error: connect ECONNREFUSED",
        "stack": "HTTPError: 503\n    at Request.onRequest",
        "details": {"status": 503, "headers": {}, "body": ""},
    }


def retried(event: Event) -> Event:
    """A message of change-propagation's retry topic."""
    return {
        "$schema": "/change-prop/retry/1.0.0",
        "meta": {"stream": "changeprop.retry.mediawiki.page_change.v1", "uri": event["meta"]["uri"]},
        "triggered_by": f"mediawiki.page_change.v1:{event['meta']['uri']}",
        "emitter_id": "changeprop#revertrisk-language-agnostic",
        "retries_left": 0,
        "error_status": 503,
        "original_event": event,
    }
