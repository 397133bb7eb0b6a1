"""What the dispatcher does on Kafka besides losing nothing: beginnings, alerts, retries, dead letters."""

import asyncio
import json
import logging
import re
import traceback
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from confluent_kafka import KafkaError, TopicPartition

from revertrisk.dispatcher import DispatchSettings, RetrySchedule, SettingsError, Summary, dispatch
from revertrisk.streams.kafka_start_offsets import Start, StartOffsets
from tests.fakes.dispatchers import StartDispatcher
from tests.fakes.kafka_cluster import QUICK_GROUPS, QUICKEST_GROUPS, STEADY_GROUPS, KafkaCluster
from tests.fakes.scripted_http import PRODUCED, Reply, ScriptedServer, Seen, bound_socket
from tests.integration.dispatcher.workplace import hearing

pytestmark = pytest.mark.ci("Kafka brokers")

STREAM = "mediawiki.page_change.v1"
RULE = """
rules:
  - name: model
    topic: mediawiki.page_change.v1
    concurrency: 5
    retry_on: {status: [502, 503]}
    exec: {method: post, uri: '{{globals.target}}/p', body: {event: '{{message}}'}}
"""
_groups = count()


def event(number: int) -> bytes:
    meta = {"stream": STREAM, "id": str(number), "uri": f"https://x/{number}", "request_id": f"r-{number}"}
    return json.dumps({"number": number, "meta": meta}).encode()


class Setting:
    """A topic, a group and a rule file of a test's own."""

    def __init__(self, cluster: KafkaCluster, folder: Path, *, partitions: int = 1) -> None:
        self.partitions = partitions
        self.cluster = cluster
        self.name = f"group-{next(_groups)}"
        self.stream = f"{self.name}.stream"
        self.topic = f"eqiad.{self.stream}"
        self.folder = folder
        # Not what the events say of their stream: on Kafka the topic decides.
        (folder / "rule.yaml").write_text(RULE.replace(STREAM, self.stream))
        cluster.create(self.topic, partitions)

    @property
    def kafka(self) -> dict[str, Any]:
        return {
            "source": f"kafka:{self.stream}",
            "datacentres": ("eqiad",),
            "group": self.name,
            "kafka": (f"bootstrap.servers={self.cluster.brokers}", *QUICKEST_GROUPS),
        }

    def settings(self, target: str, **changes: Any) -> DispatchSettings:
        given: dict[str, Any] = {
            "rule_file": self.folder / "rule.yaml",
            "target": target,
            "dead_letters": self.folder / "dead.jsonl",
            "from_start": True,
        }
        return DispatchSettings(**given | self.kafka | changes)

    def produce(self, *numbers: int) -> None:
        self.cluster.produce(self.topic, ((number % self.partitions, event(number)) for number in numbers))

    def committed(self) -> dict[int, int]:
        return self.cluster.committed(self.name, self.topic, self.partitions)


@pytest.fixture
def setting(cluster: KafkaCluster, tmp_path: Path) -> Setting:
    return Setting(cluster, tmp_path)


def numbers(server: ScriptedServer) -> list[int]:
    return [seen.json["event"]["number"] for seen in server.seen]


async def until_stopped(running: asyncio.Task[Summary], stop: asyncio.Event) -> Summary:
    stop.set()
    return await running


async def test_a_new_group_begins_at_the_newest_event_and_keeps_that_beginning(
    setting: Setting, model_server: ScriptedServer, start_dispatcher: StartDispatcher
) -> None:
    """What was there before is left alone; what comes after the first start is handled, even after a crash."""
    setting.produce(1, 2, 3)
    settings = setting.kafka | {"kafka": [f"bootstrap.servers={setting.cluster.brokers}", *QUICK_GROUPS]}
    first = await start_dispatcher(model_server.url, **settings)
    while not await asyncio.to_thread(setting.committed):
        await asyncio.sleep(0.05)
    await first.kill()
    assert setting.committed() == {0: 3}
    setting.produce(4, 5)
    second = await start_dispatcher(model_server.url, **settings)
    await model_server.arrived(2)
    status, _, _ = await second.stop()
    assert (status, numbers(model_server)) == (0, [4, 5])


async def test_a_new_group_whose_first_commits_are_refused_loses_nothing(
    cluster: KafkaCluster, tmp_path: Path, model_server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """From the first member's beginning on every event is handled, though a rebalance comes before any commit."""
    caplog.set_level(logging.INFO, "revertrisk.streams")
    setting = Setting(cluster, tmp_path, partitions=2)
    setting.produce(*range(10))
    # Members that are not missed soon: one that the group has given up takes its beginnings with it.
    kafka = (f"bootstrap.servers={cluster.brokers}", *STEADY_GROUPS)
    settings = setting.settings(model_server.url, from_start=False, retry_topic="none", kafka=kafka)
    stop = asyncio.Event()
    coming = count(10)
    with cluster.refusing_commits(KafkaError.REBALANCE_IN_PROGRESS):
        members = [asyncio.create_task(dispatch(settings, None, stop))]
        while "was assigned" not in caplog.text:
            await asyncio.sleep(0.02)
        setting.produce(*islice(coming, 20))
        members.append(asyncio.create_task(dispatch(settings, None, stop)))
        for _ in range(50):  # more than a second, in which the second member joins
            setting.produce(next(coming))
            await asyncio.sleep(0.02)
        assert setting.committed() == {}
    end = next(coming)
    setting.produce(end)
    while caplog.text.count("was assigned") < 2 or sum(setting.committed().values()) < end + 1:
        await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*members)
    assert "released" in caplog.text
    assert "a commit failed and is tried again" in caplog.text
    assert set(numbers(model_server)) == set(range(10, end + 1))


async def test_a_member_that_hands_over_a_partition_forgets_its_lag(
    cluster: KafkaCluster, tmp_path: Path, model_server: ScriptedServer
) -> None:
    """Its last event was years late; when others read on, that must not page anyone."""
    setting = Setting(cluster, tmp_path, partitions=2)
    late = {"meta": {"stream": setting.stream, "id": "late", "dt": "2020-01-01T00:00:00Z"}, "number": 1}
    bound = bound_socket()
    port = bound.getsockname()[1]
    bound.close()
    settings = setting.settings(model_server.url, retry_topic="none", metrics_port=port)

    async def lag(session: aiohttp.ClientSession) -> float:
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            (value,) = re.findall(
                r'^dispatcher_lag_seconds\{source="kafka"\} (\S+)$', await answer.text(), re.MULTILINE
            )
        return float(value)

    stop = asyncio.Event()
    members = [asyncio.create_task(dispatch(settings, None, stop))]
    async with aiohttp.ClientSession() as session:
        cluster.produce(setting.topic, [(0, json.dumps(late).encode())])
        await model_server.arrived(1)
        while await lag(session) < 1e8:
            await asyncio.sleep(0.02)
        members.append(asyncio.create_task(dispatch(replace(settings, metrics_port=None), None, stop)))
        while await lag(session) != 0:
            await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*members)


async def test_a_partition_without_a_commit_in_a_group_that_has_others_is_new(
    cluster: KafkaCluster, tmp_path: Path, model_server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It was added while no dispatcher ran: its events were not handled yet, so it is read from its beginning."""
    setting = Setting(cluster, tmp_path, partitions=2)
    setting.produce(*range(10))
    with cluster.observer(setting.name) as group:
        group.commit(offsets=[TopicPartition(setting.topic, 0, 4)], asynchronous=False)
    await dispatch(setting.settings(model_server.url, from_start=False, to_end=True))
    assert sorted(numbers(model_server)) == [1, 3, 5, 7, 8, 9]
    assert f"{setting.topic}[1]: this partition is new" in caplog.text


def test_a_partition_that_appears_later_is_read_from_its_beginning(
    cluster: KafkaCluster, tmp_path: Path
) -> None:
    """A new group begins at what was the newest when it started, in the partitions that were there."""
    setting = Setting(cluster, tmp_path, partitions=2)
    setting.produce(*range(10))
    with cluster.observer(setting.name) as group:
        there, later = (TopicPartition(setting.topic, number) for number in (0, 1))
        beginnings = StartOffsets(group, [there], Start.NEWEST, group=setting.name, places=None)
        setting.produce(*range(10, 20))
        assert [(place.partition, place.offset) for place in beginnings.of([there, later])] == [
            (0, 5),
            (1, 0),
        ]
    assert setting.committed() == {0: 5, 1: 0}


async def test_a_lost_offset_is_an_alert_and_reading_goes_on_at_the_oldest_event(
    setting: Setting, model_server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """When retention overtakes a group, what is left is read, and an error, a metric and a commit say so."""
    setting.produce(1, 2)
    await dispatch(setting.settings(model_server.url, to_end=True))
    for number in range(3, 9):
        setting.produce(number)
    setting.cluster.trim(setting.topic, 0, 6)
    summary = await dispatch(setting.settings(model_server.url, to_end=True))
    assert numbers(model_server) == [1, 2, 7, 8]
    assert f"ALERT: {setting.topic}[0]: the committed offset no longer exists" in caplog.text
    assert summary.outcomes == {"produced": 2}
    assert setting.committed() == {0: 8}


async def test_d10_what_is_no_event_at_the_end_leaves_no_lag(
    setting: Setting, model_server: ScriptedServer
) -> None:
    """D10: a tombstone, or several, is committed when all before it is done, and not earlier."""
    stop = asyncio.Event()
    setting.cluster.produce(setting.topic, [(0, None), (0, event(1)), (0, None)])
    running = asyncio.create_task(dispatch(setting.settings(model_server.url), None, stop))
    while setting.committed() != {0: 3}:
        await asyncio.sleep(0.05)
    model_server.gate.clear()
    setting.cluster.produce(setting.topic, [(0, event(2)), (0, None), (0, None)])
    await model_server.arrived(2)
    assert setting.committed() == {0: 3}
    model_server.gate.set()
    while setting.committed() != {0: 6}:
        await asyncio.sleep(0.05)
    assert (await until_stopped(running, stop)).outcomes == {"produced": 2}


@pytest.mark.parametrize("largest", [6_000_000, 120_000_000])
async def test_d10_a_bound_for_messages_is_kept(
    setting: Setting, model_server: ScriptedServer, largest: int
) -> None:
    """D10: a file that all clients of a cluster share may allow larger messages than ours."""
    setting.produce(1)
    kafka = (*setting.kafka["kafka"], f"message.max.bytes={largest}")
    summary = await dispatch(setting.settings(model_server.url, to_end=True, kafka=kafka))
    assert summary.outcomes == {"produced": 1}


async def test_a_long_pause_is_spent_in_the_retry_topic(
    setting: Setting, model_server: ScriptedServer
) -> None:
    """A refused event waits outside the process: the next ones go on, it is committed, and its try comes later."""
    model_server.script = lambda seen: (
        Reply(503, {"code": "overloaded"}) if first_try_of_1(seen) else PRODUCED
    )
    setting.produce(1, 2, 3)
    retries = RetrySchedule(limit=2, delay_s=60, factor=1)
    stop = asyncio.Event()
    running = asyncio.create_task(dispatch(setting.settings(model_server.url, retries=retries), None, stop))
    await model_server.arrived(3)
    while setting.committed() != {0: 3}:
        await asyncio.sleep(0.05)
    summary = await until_stopped(running, stop)
    assert summary.outcomes == {"postponed:status_503": 1, "produced": 2}
    (message,) = (json.loads(value) for value in setting.cluster.read(retry_topic(setting), 4))
    assert message["original_event"]["number"] == 1
    assert (message["rule"], message["tried"], message["reason"]) == ("model", 1, "status_503")
    assert message["topic"] == setting.topic
    assert message["meta"]["request_id"] == "r-1"


def first_try_of_1(seen: Seen) -> bool:
    return bool(seen.json["event"]["number"] == 1) and "retry" not in seen.headers["x-triggered-by"]


def retry_topic(setting: Setting) -> str:
    return f"eqiad.{setting.name}.retry"


async def test_what_waits_in_the_retry_topic_is_tried_when_its_time_has_come(
    setting: Setting, model_server: ScriptedServer
) -> None:
    """Also by a later process: with the right trail, counted once more, and given up when the tries are used up."""
    model_server.script = lambda seen: Reply(503) if seen.json["event"]["number"] == 2 else PRODUCED
    waiting = [
        {"rule": "model", "tried": 1, "original_event": json.loads(event(1))},
        {"rule": "model", "tried": 3, "original_event": json.loads(event(2))},
        {"rule": "gone", "tried": 1, "original_event": json.loads(event(3))},
        {"something": "else"},
    ]
    waiting = [message | {"not_before": 0, "topic": setting.topic} for message in waiting]
    setting.cluster.create(retry_topic(setting), 1)
    setting.cluster.produce(retry_topic(setting), ((0, json.dumps(message).encode()) for message in waiting))
    found: list[str] = []
    stop = asyncio.Event()
    settings = setting.settings(model_server.url, retries=RetrySchedule(limit=3, delay_s=60, factor=1))
    running = asyncio.create_task(dispatch(settings, lambda outcome: found.append(outcome.label), stop))
    while len(found) < 4:
        await asyncio.sleep(0.02)
    await until_stopped(running, stop)
    assert sorted(found) == [
        "given_up:not_a_retry",
        "given_up:status_503",
        "given_up:unknown_rule",
        "produced",
    ]
    trail = f"req:r-1,{STREAM}:https://x/1,changeprop.retry.{STREAM}:https://x/1"
    assert model_server.seen[0].headers["x-triggered-by"] == trail
    assert setting.cluster.committed(f"{setting.name}.retry", retry_topic(setting), 1) == {0: 4}


async def test_dead_letters_may_go_to_a_topic(setting: Setting, model_server: ScriptedServer) -> None:
    """They are what the file would hold, and are there before the event is committed."""
    model_server.script = lambda _: Reply(400, {"code": "invalid_event"})
    setting.produce(1)
    setting.cluster.create(f"{setting.name}.dead", 1)
    settings = setting.settings(model_server.url, dead_letters=f"kafka:{setting.name}.dead", to_end=True)
    summary = await dispatch(settings)
    assert summary.given_up == 1
    (letter,) = (json.loads(value) for value in setting.cluster.read(f"{setting.name}.dead", 1))
    assert (letter["reason"], letter["code"], letter["event"]) == (
        "status_400",
        "invalid_event",
        json.loads(event(1)),
    )
    assert letter["topic"] == setting.topic


@pytest.mark.parametrize(("status", "tries"), [(400, 1), (503, 1)])
async def test_d9_what_a_topic_is_too_small_for_stops_nothing(
    setting: Setting, model_server: ScriptedServer, status: int, tries: int
) -> None:
    """D9: of an event that neither fits into the retry topic nor into a dead letter the beginning is kept."""
    model_server.script = lambda seen: Reply(status) if "large" in seen.json["event"] else PRODUCED
    meta = {"stream": STREAM, "id": "1"}
    large = json.dumps({"number": 1, "meta": meta, "large": "x" * 120_000}).encode()
    setting.cluster.produce(setting.topic, [(0, large), (0, event(2))])
    setting.cluster.create(f"{setting.name}.dead", 1)
    settings = setting.settings(
        model_server.url,
        dead_letters=f"kafka:{setting.name}.dead",
        kafka=(*setting.kafka["kafka"], "message.max.bytes=100000"),
        retries=RetrySchedule(limit=2, delay_s=60, factor=1),
        limit=2,
    )
    summary = await dispatch(settings)
    assert summary.outcomes == {"produced": 1, f"given_up:status_{status}": 1}
    (letter,) = (json.loads(value) for value in setting.cluster.read(f"{setting.name}.dead", 1))
    assert (letter["partition"], letter["offset"], letter["attempts"]) == (f"{setting.topic}[0]", 0, tries)
    assert letter["raw"].startswith('{"number":1')


async def test_d7_another_topic_is_for_no_rule_unless_any_is(
    setting: Setting, model_server: ScriptedServer
) -> None:
    """D7: events of another topic are counted and left alone, whatever stream they name; --any-topic takes them."""
    (setting.folder / "rule.yaml").write_text(RULE)
    setting.produce(1)
    summary = await dispatch(setting.settings(model_server.url, to_end=True))
    assert summary.outcomes == {"unmatched:topic": 1}
    summary = await dispatch(setting.settings(model_server.url, to_end=True, group="any", any_topic=True))
    assert summary.outcomes == {"produced": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kafka": ()}, "bootstrap.servers=HOST:PORT"),
        ({"source": "kafka:a b"}, "'a b' is not the name of a topic"),
        ({"dead_letters": "kafka:a/b"}, "'a/b' is not the name of a topic"),
        ({"checkpoint": Path("x")}, "checkpoint: Kafka keeps the offsets"),
    ],
)
async def test_a_setting_that_cannot_work_is_named(
    setting: Setting, changes: dict[str, Any], reason: str
) -> None:
    """Nothing is read before every setting is known to work."""
    with pytest.raises(SettingsError, match=reason):
        await dispatch(setting.settings("http://127.0.0.1:1", **changes))


@pytest.mark.parametrize("to_end", [True, False])
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"no.such.setting": "hunter2"}, 'No such configuration property: "no.such.setting"'),
        ({"security.protocol": "hunter2"}, '"security.protocol"'),
        ({"security.protocol": "SSL", "ssl.ca.location": "/hunter2"}, "ssl.ca.location"),
        ({"security.protocol": "SSL", "ssl.key.pem": "hunter2"}, "ssl.key.pem"),
        ({"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"}, "sasl.username and sasl.password"),
        (
            {"security.protocol": "SASL_SSL", "sasl.mechanism": "X", "sasl.password": "hunter2"},
            "Unsupported SASL mechanism",
        ),
    ],
)
async def test_a_setting_that_librdkafka_refuses_stops_the_start(
    setting: Setting, caplog: pytest.LogCaptureFixture, wrong: dict[str, str], reason: str, *, to_end: bool
) -> None:
    """Nothing is read, its own words name the setting, and no value is in them or in the log."""
    caplog.set_level(logging.DEBUG)
    kafka = (f"bootstrap.servers={setting.cluster.brokers}", *(f"{key}={wrong[key]}" for key in wrong))
    with pytest.raises(SettingsError, match=f"kafka-setting: .*{re.escape(reason)}") as caught:
        await dispatch(setting.settings("http://127.0.0.1:1", kafka=kafka, to_end=to_end))
    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in shown + caplog.text


async def test_a_topic_that_does_not_exist_is_an_error(setting: Setting) -> None:
    """A misspelt topic is no quiet day."""
    summary = await dispatch(setting.settings("http://127.0.0.1:1", source="kafka:misspelt", to_end=True))
    assert "misspelt: Broker: Unknown topic or partition" in str(summary.source_error)


async def test_brokers_that_go_away_for_a_while_cost_nothing(
    setting: Setting, model_server: ScriptedServer
) -> None:
    """What comes when they are back is handled, and committed."""
    stop = asyncio.Event()
    setting.produce(1)
    running = asyncio.create_task(dispatch(setting.settings(model_server.url), None, stop))
    await model_server.arrived(1)
    with hearing("revertrisk.streams.kafka", "brokers are down") as noticed:
        setting.cluster.stop_brokers()
        await noticed.wait()
    setting.cluster.start_brokers()
    setting.produce(2)
    await model_server.arrived(2)
    while setting.committed() != {0: 2}:
        await asyncio.sleep(0.05)
    outcomes = (await until_stopped(running, stop)).outcomes
    assert outcomes["produced"] == 2
    assert set(outcomes) <= {"produced", "duplicate"}  # a commit may have been on its way


async def test_a_stop_does_not_wait_for_brokers_that_are_away(
    setting: Setting, model_server: ScriptedServer, start_dispatcher: StartDispatcher
) -> None:
    """A pod that is asked to go goes, also while Kafka is unreachable."""
    setting.produce(1)
    dispatcher = await start_dispatcher(
        model_server.url, **setting.kafka | {"kafka": list(setting.kafka["kafka"]), "from_start": True}
    )
    await model_server.arrived(1)
    setting.cluster.stop_brokers()
    try:
        status, summary, _ = await dispatcher.stop()
    finally:
        setting.cluster.start_brokers()
    assert (status, summary["outcomes"]) == (0, {"produced": 1})
