import json
from pathlib import Path

import pytest

from mock_eventgate.streams import (
    CONFIGURED_PREDICTION_STREAMS,
    ERROR_STREAM,
    STAGING_STREAM,
    TEST_STREAM,
    StreamConfigError,
    StreamConfigs,
)
from revertrisk.event_platform.streams import PREDICTION_SCHEMA_TITLE


def test_default_streams() -> None:
    """Each model's stream, its backfill sibling and staging carry predictions; the gate has two of its own."""
    titles = {
        name: settings["schema_title"] for name, settings in StreamConfigs.default().published().items()
    }
    predictions = [
        *CONFIGURED_PREDICTION_STREAMS,
        *(f"{name}.backfill" for name in CONFIGURED_PREDICTION_STREAMS),
        STAGING_STREAM,
    ]
    assert titles == {
        **dict.fromkeys(predictions, PREDICTION_SCHEMA_TITLE),
        TEST_STREAM: "test/event",
        ERROR_STREAM: "error",
    }


def test_published_settings() -> None:
    """A stream's settings are those of Wikimedia's stream configuration, one topic per datacentre."""
    name = CONFIGURED_PREDICTION_STREAMS[0]
    assert StreamConfigs.default().published([name]) == {
        name: {
            "stream": name,
            "schema_title": PREDICTION_SCHEMA_TITLE,
            "destination_event_service": "eventgate-main",
            "canary_events_enabled": True,
            "topics": [f"eqiad.{name}", f"codfw.{name}"],
        }
    }


@pytest.mark.parametrize("wrapped", [False, True])
def test_file(tmp_path: Path, wrapped: bool) -> None:
    """A file may be a plain mapping, or MediaWiki's answer with the mapping under ``streams``."""
    streams = {"my.stream": {"schema_title": "my/title", "canary_events_enabled": False}}
    path = tmp_path / "streams.json"
    path.write_text(json.dumps({"streams": streams} if wrapped else streams))
    configs = StreamConfigs.load(path)
    assert set(configs.published()) == {"my.stream", TEST_STREAM, ERROR_STREAM}
    settings = configs.published(["my.stream"])["my.stream"]
    assert settings["schema_title"] == "my/title"
    assert settings["canary_events_enabled"] is False


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "expected a mapping of stream name to settings"),
        ("[]", "expected a mapping of stream name to settings"),
        ("a: [", "neither YAML nor JSON"),
        ("my.stream: 5", "my.stream: expected a mapping of settings"),
        ("1: {}", "a stream's name must be a non-empty string"),
        ("my.stream: {}", "my.stream.schema_title: expected a schema title"),
        ("my.stream: {schema_title: ''}", "my.stream.schema_title: expected a schema title"),
        ("my.stream: {schema_title: t, message_key_fields: [a]}", "my.stream.message_key_fields: expected"),
    ],
)
def test_bad_file(tmp_path: Path, content: str, complaint: str) -> None:
    """A bad file is refused with its name, the stream, and what was expected."""
    path = tmp_path / "streams.yaml"
    path.write_text(content)
    with pytest.raises(StreamConfigError) as caught:
        StreamConfigs.load(path)
    assert str(path) in str(caught.value)
    assert complaint in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is refused with its name."""
    with pytest.raises(StreamConfigError, match=r"streams\.yaml: cannot be read"):
        StreamConfigs.load(tmp_path / "streams.yaml")
