"""Two members of a group, one killed again and again: every event handled, and none committed too early."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.fakes.dispatchers import Dispatcher, StartDispatcher
from tests.fakes.kafka_cluster import QUICK_GROUPS, KafkaCluster, observed
from tests.fakes.scripted_http import PRODUCED, Reply, ScriptedServer, Seen

pytestmark = pytest.mark.ci("kill loops")

TOPIC = "eqiad.mediawiki.page_change.v1"
GROUP = "nothing-lost"
EVENTS = 20_000
PARTITIONS = 8
KILLS = 5
BEFORE_A_KILL = 200
"""Requests of a consumer until it is killed, so that it has partitions of its own."""
RULE = """
rules:
  - name: model
    topic: mediawiki.page_change.v1
    concurrency: 20
    exec: {method: post, uri: '{{globals.target}}/predict', body: {event: '{{message}}'}}
"""


def event(partition: int, offset: int) -> bytes:
    meta = {"stream": "mediawiki.page_change.v1", "id": f"{partition}-{offset}"}
    return orjson.dumps({"partition": partition, "offset": offset, "meta": meta})


class Witness:
    """Sees every request, and knows what had been committed before it came."""

    def __init__(self) -> None:
        self.handled: Counter[tuple[int, int]] = Counter()
        self.senders: Counter[str] = Counter()
        self.committed: dict[int, int] = {}
        """The furthest acknowledged commit of each partition."""
        self.went_back = False
        self.too_late: list[tuple[int, int]] = []
        """What was sent though its partition's acknowledged commit had passed it."""

    def answer(self, seen: Seen) -> Reply:
        sent = seen.json["event"]
        place = (sent["partition"], sent["offset"])
        self.handled[place] += 1
        self.senders[seen.headers["user-agent"]] += 1
        if place[1] < self.committed.get(place[0], 0):
            self.too_late.append(place)
        return PRODUCED

    async def watch(self, cluster: KafkaCluster) -> None:
        with cluster.observer(GROUP) as observer:
            while True:
                found = await asyncio.to_thread(observed, observer, TOPIC, PARTITIONS)
                for partition, offset in found.items():
                    self.went_back |= offset < self.committed.get(partition, 0)
                    self.committed[partition] = max(offset, self.committed.get(partition, 0))
                await asyncio.sleep(0.02)


class Flow:
    """Events that keep coming for as long as they are needed: at first quickly, and then more and more slowly."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self._cluster = cluster
        self._left = [(number % PARTITIONS, number // PARTITIONS) for number in reversed(range(EVENTS))]

    async def until(self, reached: Callable[[], bool], *, running: Dispatcher) -> None:
        while not reached():
            if running.process.returncode is not None:
                raise AssertionError(await running.finished())
            self.produce(max(1, len(self._left) // 250))
            await asyncio.sleep(0.05)

    def produce(self, count: int) -> None:
        places = [self._left.pop() for _ in range(min(count, len(self._left)))]
        self._cluster.produce(TOPIC, ((partition, event(partition, offset)) for partition, offset in places))


async def test_nothing_is_lost_and_nothing_committed_too_early(
    cluster: KafkaCluster, model_server: ScriptedServer, start_dispatcher: StartDispatcher, tmp_path: Path
) -> None:
    """Every event is handled, and none is sent again once its partition's acknowledged commit has passed it.

    Of two consumers one is killed five times and started again, and in the end the other one leaves.
    """
    (tmp_path / "rule.yaml").write_text(RULE)
    cluster.create(TOPIC, PARTITIONS)
    flow, witness = Flow(cluster), Witness()
    model_server.script = witness.answer
    model_server.forgetful = True

    async def start(name: str) -> Dispatcher:
        return await start_dispatcher(
            model_server.url,
            f"kafka:{TOPIC}",
            kafka=[f"bootstrap.servers={cluster.brokers}", *QUICK_GROUPS],
            group=GROUP,
            from_start=True,
            user_agent=name,
        )

    watching = asyncio.create_task(witness.watch(cluster))
    steady = await start("steady")
    for number in range(KILLS):
        doomed = await start(f"doomed-{number}")
        await flow.until(
            lambda number=number: witness.senders[f"doomed-{number}"] >= BEFORE_A_KILL, running=doomed
        )  # type: ignore[misc]
        await doomed.kill()
    second = await start("second")
    await flow.until(lambda: witness.senders["second"] >= BEFORE_A_KILL, running=second)
    flow.produce(EVENTS)
    status, summary, log = await steady.stop()
    # On a slow machine the group may have given a member up for a moment: its last commit is refused, and said so.
    assert (status, "Traceback" in log) == (0, False), log
    assert set(summary["outcomes"]) <= {"produced", "duplicate"}
    while sum(witness.committed.values()) < EVENTS:
        await asyncio.sleep(0.05)
    status, _, log = await second.stop()
    assert (status, "Traceback" in log) == (0, False), log
    watching.cancel()
    await asyncio.wait({watching})
    assert len(witness.handled) == EVENTS
    assert witness.handled.total() > EVENTS, (
        "nothing was sent twice: the kills came when nothing was in flight"
    )
    assert witness.too_late == []
    assert not witness.went_back
    sys.stdout.write(f"{EVENTS} events, {witness.handled.total() - EVENTS} sent twice\n")
