"""librdkafka's settings; all can be set except those that the dispatcher decides."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

BROKERS = "bootstrap.servers"

_DECIDED_HERE = {
    "group.id": "use --group",
    "enable.auto.commit": "offsets are committed up to the earliest unfinished event",
    "enable.auto.offset.store": "offsets are committed up to the earliest unfinished event",
    "auto.offset.reset": "a new group starts at the newest event, and a lost offset is an alert",
    "partition.assignment.strategy": "it is cooperative-sticky",
    "group.protocol": "it is the classic one",
    "enable.partition.eof": "it is on",
    "enable.idempotence": "it is on",
    "acks": "it is all",
}
ENVIRONMENT = (
    "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_SECURITY_PROTOCOL",
    "KAFKA_SASL_MECHANISM",
    "KAFKA_SASL_USERNAME",
    "KAFKA_SASL_PASSWORD",
    "KAFKA_SSL_CA_LOCATION",
    "KAFKA_SSL_CERTIFICATE_LOCATION",
    "KAFKA_SSL_KEY_LOCATION",
    "KAFKA_SSL_KEY_PASSWORD",
    "KAFKA_CLIENT_ID",
)
"""Variables for settings that differ between deployments, or are secret. Kubernetes sets other KAFKA_… variables."""
_OF_CONSUMERS = (
    "session.",
    "heartbeat.",
    "max.poll.",
    "fetch.",
    "queued.m",
    "group.",
    "isolation.",
    "check.crcs",
)


class KafkaSettingsError(ValueError):
    """A setting is invalid; the message names it and never repeats a value, which can be a password."""


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """librdkafka's settings, including security and ``bootstrap.servers``."""

    values: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, written: Iterable[str], environment: Mapping[str, str] | None = None) -> "KafkaSettings":
        """Read ``key=value`` items; they override the environment, and a later item overrides an earlier one.

        ``key=@FILE`` takes the value from a file, without its last newline.

        Raises:
            KafkaSettingsError: an item is not key=value or cannot be set, its file cannot be read, or the brokers are
                missing.

        """
        values = _from_environment(environment or {})
        for item in written:
            key, equals, value = item.partition("=")
            key = key.strip()
            if not equals or not key:
                raise KafkaSettingsError("kafka-setting: expected key=value, such as security.protocol=SSL")
            if key in _DECIDED_HERE:
                raise KafkaSettingsError(f"kafka-setting {key}: cannot be set: {_DECIDED_HERE[key]}")
            values[key] = _from_file(key, value[1:]) if value.startswith("@") else value
        if not values.get(BROKERS):
            raise KafkaSettingsError(
                f"kafka-setting: {BROKERS}=HOST:PORT[,…] is missing (or {ENVIRONMENT[0]})"
            )
        return cls(values)

    @property
    def brokers(self) -> str:
        """The brokers for the first connection."""
        return self.values.get(BROKERS, "")

    @property
    def for_producer(self) -> Mapping[str, str]:
        """The settings without those only for consumers, about which librdkafka would log warnings."""
        return {key: value for key, value in self.values.items() if not key.startswith(_OF_CONSUMERS)}

    def refusal(self, reason: str) -> KafkaSettingsError:
        """Return an error with librdkafka's reason for refusing the settings; values in it are removed."""
        for value in self.values.values():
            reason = reason.replace(f'"{value}"', '"…"')
        return KafkaSettingsError(f"kafka-setting: {reason}")


def _from_file(key: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8 text"
        raise KafkaSettingsError(f"kafka-setting {key}: {path}: cannot be read: {reason}") from exc


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return ``sasl.password`` for ``KAFKA_SASL_PASSWORD`` and so on; an empty variable is unset."""
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): environment[name]
        for name in ENVIRONMENT
        if environment.get(name)
    }
