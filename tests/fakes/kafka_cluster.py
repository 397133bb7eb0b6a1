"""A Kafka cluster for tests: librdkafka's own mock brokers, in a process of their own, reached over TCP.

Run as a program it prints its address and then obeys one command a line, answering each with one line.
"""

import ctypes
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import confluent_kafka
from confluent_kafka import Consumer, Producer, TopicPartition

OFFSET_COMMIT = 8
"""The protocol's number of the request."""
MANY = 10_000
GROUP_DELAY_MS = 200
"""How long a group that forms waits for more members."""
QUICK_GROUPS = ("session.timeout.ms=2000", "heartbeat.interval.ms=200")
"""Settings of members that are missed two seconds after they were killed."""
QUICKEST_GROUPS = ("session.timeout.ms=1500", "heartbeat.interval.ms=150")
"""The same for members that nobody disturbs."""
STEADY_GROUPS = ("session.timeout.ms=6000", "heartbeat.interval.ms=150")
"""Settings of members that are not missed on a slow machine either; a rebalance takes as long as a session."""


@dataclass(frozen=True)
class KafkaCluster:
    """A running cluster."""

    brokers: str
    process: subprocess.Popen[str]
    producer: Producer
    topics: set[str] = field(default_factory=set)

    def create(self, topic: str, partitions: int) -> None:
        self._tell("create", topic, partitions)
        self.topics.add(topic)

    def trim(self, topic: str, partition: int, before: int) -> None:
        """Delete the records of a partition before an offset, as retention does."""
        self._tell("trim", topic, partition, before)

    @contextmanager
    def refusing_commits(self, code: int) -> Iterator[None]:
        """Answer commits of any group with an error of Kafka's."""
        self._tell("refuse", OFFSET_COMMIT, code, MANY)
        try:
            yield
        finally:
            self._tell("accept", OFFSET_COMMIT)

    def stop_brokers(self) -> None:
        """Make the brokers unreachable."""
        self._tell("down")

    def start_brokers(self) -> None:
        self._tell("up")

    def produce(self, topic: str, values: Iterable[tuple[int, bytes | None]]) -> None:
        """Append values, each to the partition that stands before it."""
        for number, (partition, value) in enumerate(values):
            self.producer.produce(topic, value, partition=partition)
            if number % 1000 == 0:
                self.producer.poll(0)
        assert self.producer.flush(30) == 0

    def read(self, topic: str, partitions: int) -> list[bytes]:
        """Return everything that a topic holds, partition by partition."""
        consumer = Consumer(
            {"bootstrap.servers": self.brokers, "group.id": "reader", "enable.partition.eof": True}
        )
        found: list[bytes] = []
        try:
            consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
            ends = 0
            while ends < partitions:
                for message in consumer.consume(1000, 0.1):
                    value = message.value()
                    if message.error() is not None:
                        ends += 1
                    elif value is not None:
                        found.append(value)
        finally:
            consumer.close()
        return found

    def committed(self, group: str, topic: str, partitions: int) -> dict[int, int]:
        """Return the committed offset of each partition that has one."""
        with self.observer(group) as observer:
            return observed(observer, topic, partitions)

    @contextmanager
    def observer(self, group: str) -> Iterator[Consumer]:
        """Someone who can ask for a group's offsets without being a member."""
        consumer = Consumer(
            {"bootstrap.servers": self.brokers, "group.id": group, "enable.auto.commit": False}
        )
        try:
            yield consumer
        finally:
            consumer.close()

    def _tell(self, *command: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer == "0", f"{command}: {answer}"


def observed(observer: Consumer, topic: str, partitions: int) -> dict[int, int]:
    """Return the committed offset of each partition that has one."""
    places = observer.committed([TopicPartition(topic, number) for number in range(partitions)], 10)
    return {place.partition: place.offset for place in places if place.offset >= 0}


@contextmanager
def kafka_cluster() -> Iterator[KafkaCluster]:
    """Run a cluster of one broker while the context lasts."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            brokers = process.stdout.readline().strip()
            yield KafkaCluster(
                brokers, process, Producer({"bootstrap.servers": brokers, "linger.ms": 1, "log_level": 0})
            )
        finally:
            process.kill()


class _MockBrokers:
    """librdkafka's mock cluster, which its Python package carries but does not offer."""

    def __init__(self) -> None:
        package = Path(confluent_kafka.__file__).parent
        (bundled,) = (package.parent / "confluent_kafka.libs").glob("librdkafka*")
        self._library = ctypes.CDLL(str(bundled))
        for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
            getattr(self._library, name).restype = ctypes.c_void_p
        self._library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        configuration = ctypes.c_void_p(self._library.rd_kafka_conf_new())
        reason = ctypes.create_string_buffer(512)
        self._library.rd_kafka_conf_set(configuration, b"log_level", b"0", reason, len(reason))
        client = ctypes.c_void_p(self._library.rd_kafka_new(0, configuration, reason, len(reason)))
        self._cluster = ctypes.c_void_p(self._library.rd_kafka_mock_cluster_new(client, 1))
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, GROUP_DELAY_MS)

    @property
    def brokers(self) -> str:
        address: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return address.decode()

    def obey(self, name: str, *arguments: str | int) -> int:
        match name, *arguments:
            case "create", str(topic), int(partitions):
                return self._call("topic_create", topic.encode(), partitions, 1)
            case "trim", str(topic), int(partition), int(before):
                return self._call(
                    "partition_delete_records", topic.encode(), partition, ctypes.c_int64(before)
                )
            case "refuse", int(request), int(code), int(times):
                codes = (ctypes.c_int * times)(*([code] * times))
                self._call(
                    "push_request_errors_array", ctypes.c_int16(request), ctypes.c_size_t(times), codes
                )
                return 0  # it returns nothing
            case "accept", int(request):
                self._call("clear_request_errors", ctypes.c_int16(request))
                return 0  # likewise
            case ("down",):
                return self._call("broker_set_down", 1)
            case ("up",):
                return self._call("broker_set_up", 1)
        raise AssertionError(f"no such command: {name}")

    def _call(self, name: str, *arguments: object) -> int:
        result: int = getattr(self._library, f"rd_kafka_mock_{name}")(self._cluster, *arguments)
        return result


def main() -> None:
    """Serve until standard input ends."""
    brokers = _MockBrokers()
    sys.stdout.write(brokers.brokers + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(f"{brokers.obey(*json.loads(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
