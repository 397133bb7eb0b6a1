"""The stream configuration: which streams exist, and the schema of each.

The format is that of Wikimedia's stream configuration: stream name → settings, of which EventGate itself
reads ``schema_title`` and ``message_key_fields``. A stream that is not configured accepts nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import yaml

from revertrisk.event_platform.streams import BACKFILL_SUFFIX, PREDICTION_SCHEMA_TITLE, PREDICTION_STREAMS

CONFIGURED_PREDICTION_STREAMS: Final = (
    *PREDICTION_STREAMS.values(),
    "mediawiki.page_revert_risk_wikidata_prediction_change.v1",
)
STAGING_STREAM: Final = "mediawiki.page_prediction_change.rc0"
TEST_STREAM: Final = "eventgate.test.event"
ERROR_STREAM: Final = "eventgate.error.validation"

DATACENTRES: Final = ("eqiad", "codfw")
EVENT_SERVICE: Final = "eventgate-main"


class StreamConfigError(ValueError):
    """A stream configuration that cannot be used. The message names the file, the stream and the setting."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One configured stream. ``settings`` are its published settings, including ``schema_title``."""

    name: str
    schema_title: str
    message_key_fields: Mapping[str, str]
    settings: Mapping[str, Any]


class StreamConfigs:
    """The configured streams, by name."""

    def __init__(self, streams: Iterable[Stream]) -> None:
        self._streams = {stream.name: stream for stream in streams}

    @classmethod
    def default(cls) -> Self:
        """Return the prediction streams, their backfill streams, the staging stream, and EventGate's own two."""
        predictions = (
            *CONFIGURED_PREDICTION_STREAMS,
            *(f"{name}{BACKFILL_SUFFIX}" for name in CONFIGURED_PREDICTION_STREAMS),
        )
        titles = {
            **dict.fromkeys((*predictions, STAGING_STREAM), PREDICTION_SCHEMA_TITLE),
            TEST_STREAM: "test/event",
            ERROR_STREAM: "error",
        }
        return cls(_stream(name, {"schema_title": title}) for name, title in titles.items())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a YAML or JSON file of stream name → settings, either at the top or under ``streams``.

        The second form is the answer of MediaWiki's ``action=streamconfigs``. EventGate's own test and error
        streams are always added.

        Raises:
            StreamConfigError: the file cannot be read or a setting is wrong.

        """
        try:
            document = yaml.safe_load(path.read_bytes())
        except OSError as exc:
            raise StreamConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
        except yaml.YAMLError as exc:
            raise StreamConfigError(f"{path}: neither YAML nor JSON") from exc
        configured = document.get("streams", document) if isinstance(document, dict) else document
        if not isinstance(configured, dict) or not configured:
            raise StreamConfigError(f"{path}: expected a mapping of stream name to settings")
        own = {TEST_STREAM: {"schema_title": "test/event"}, ERROR_STREAM: {"schema_title": "error"}}
        try:
            return cls(_stream(name, settings) for name, settings in (own | configured).items())
        except StreamConfigError as exc:
            raise StreamConfigError(f"{path}: {exc}") from None

    def get(self, name: object) -> Stream | None:
        """Return a stream; None if it is not configured."""
        return self._streams.get(name) if isinstance(name, str) else None

    def published(self, names: Iterable[str] | None = None) -> dict[str, Mapping[str, Any]]:
        """Return the settings of some streams, or of all; names that are not configured are left out."""
        wanted = self._streams if names is None else names
        return {name: self._streams[name].settings for name in wanted if name in self._streams}


def _stream(name: object, settings: object) -> Stream:
    if not isinstance(name, str) or not name:
        raise StreamConfigError(f"a stream's name must be a non-empty string, not {name!r}")
    if not isinstance(settings, dict):
        raise StreamConfigError(f"{name}: expected a mapping of settings")
    title = settings.get("schema_title")
    if not isinstance(title, str) or not title:
        raise StreamConfigError(
            f"{name}.schema_title: expected a schema title, such as {PREDICTION_SCHEMA_TITLE}"
        )
    keys = settings.get("message_key_fields", {})
    if not isinstance(keys, dict) or not all(isinstance(part, str) for pair in keys.items() for part in pair):
        raise StreamConfigError(f"{name}.message_key_fields: expected a mapping of key field to event field")
    return Stream(
        name=name,
        schema_title=title,
        message_key_fields=keys,
        settings={
            "stream": name,
            "schema_title": title,
            "destination_event_service": EVENT_SERVICE,
            "canary_events_enabled": name not in (TEST_STREAM, ERROR_STREAM),
            "topics": [f"{datacentre}.{name}" for datacentre in DATACENTRES],
            **settings,
        },
    )
