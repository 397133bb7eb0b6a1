from pathlib import Path

import pytest

from revertrisk.streams.kafka_settings import KafkaSettings, KafkaSettingsError

BROKERS = "bootstrap.servers=a:9092,b:9092"


def test_settings_are_handed_on_as_they_are() -> None:
    """A value may hold an equals sign, and the last of two counts."""
    settings = KafkaSettings.parse([BROKERS, "sasl.password=a=b", "client.id=x", "client.id=y"])
    assert settings.values == {
        "bootstrap.servers": "a:9092,b:9092",
        "sasl.password": "a=b",
        "client.id": "y",
    }
    assert settings.brokers == "a:9092,b:9092"


def test_the_environment_gives_what_flags_do_not() -> None:
    """What is secret need not stand on a command line; other variables that begin alike mean nothing."""
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": "x:9092",
        "KAFKA_SASL_PASSWORD": "secret",
        "KAFKA_CLIENT_ID": "",
        "KAFKA_PORT": "tcp://10.0.0.1:9092",
    }
    settings = KafkaSettings.parse([BROKERS], environment)
    assert settings.values == {"bootstrap.servers": "a:9092,b:9092", "sasl.password": "secret"}
    assert KafkaSettings.parse([], environment).brokers == "x:9092"


def test_a_password_is_never_shown() -> None:
    """Neither by the object nor by an error."""
    assert "secret" not in repr(KafkaSettings.parse([BROKERS, "sasl.password=secret"]))
    with pytest.raises(KafkaSettingsError) as caught:
        KafkaSettings.parse([BROKERS, "=secret"])
    assert "secret" not in str(caught.value)


def test_a_value_may_be_in_a_file(tmp_path: Path) -> None:
    """The end of its last line is no part of it; a variable is taken as it is."""
    (tmp_path / "password").write_text("@a b\n")
    settings = KafkaSettings.parse([BROKERS, f"sasl.password=@{tmp_path}/password"])
    assert settings.values["sasl.password"] == "@a b"
    settings = KafkaSettings.parse([BROKERS], {"KAFKA_SASL_PASSWORD": "@x"})
    assert settings.values["sasl.password"] == "@x"
    with pytest.raises(KafkaSettingsError, match=r"sasl.password: /no/file: cannot be read: No such file"):
        KafkaSettings.parse([BROKERS, "sasl.password=@/no/file"])


def test_a_producer_is_not_told_what_only_consumers_know() -> None:
    """librdkafka would complain about each of them."""
    settings = KafkaSettings.parse([BROKERS, "session.timeout.ms=6000", "security.protocol=SSL"])
    assert set(settings.for_producer) == {"bootstrap.servers", "security.protocol"}


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ([], "bootstrap.servers=HOST:PORT"),
        (["bootstrap.servers="], "bootstrap.servers=HOST:PORT"),
        ([BROKERS, "x"], "expected key=value"),
        ([BROKERS, "auto.offset.reset=earliest"], "auto.offset.reset: cannot be set: a new group"),
        ([BROKERS, "enable.auto.commit=true"], "enable.auto.commit: cannot be set: offsets are committed"),
    ],
)
def test_a_setting_that_cannot_work_is_named(written: list[str], reason: str) -> None:
    """What decides about losing events is not up to settings."""
    with pytest.raises(KafkaSettingsError, match=reason):
        KafkaSettings.parse(written)
