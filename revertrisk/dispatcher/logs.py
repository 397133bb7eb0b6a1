"""Logging: lines of Elastic Common Schema JSON for a collector, or text for a person, on standard error.

Standard output is for results. Nothing personal is in any line: no part of an event but its revision, and of an
exception only its type and the places it passed through.
"""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from revertrisk.dispatcher.settings import SettingsError

FORMATS: Final = ("auto", "ecs", "text")
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_ECS_VERSION: Final = "1.6.0"
_ECS_FIELDS: Final = ("labels.", "http.", "event.")
"""What a line may carry beside its text, given as ``extra``."""


class EcsFormatter(logging.Formatter):
    """Renders a record as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the fields that the model server's lines have too."""
        line: dict[str, Any] = {
            "@timestamp": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "log.level": record.levelname.lower(),
            "message": record.getMessage(),
            "ecs.version": _ECS_VERSION,
            "log": {"logger": record.name},
        }
        for name, value in {**_extra(record), **_error(record)}.items():
            *groups, leaf = name.split(".")
            inner = line
            for group in groups:
                inner = inner.setdefault(group, {})
            inner[leaf] = value
        return orjson.dumps(line, default=str).decode()


class TextFormatter(logging.Formatter):
    """Renders a record for a person."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level and message, and an exception's places below."""
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:<7} {record.getMessage()}"
        error = _error(record)
        return f"{line}\n{error['error.type']} at {error['error.stack_trace']}" if error else line


def configure_logging(log_format: str, level: str) -> None:
    """Send the root logger to standard error; ``auto`` is text on a terminal and ECS otherwise.

    Raises:
        SettingsError: the format or the level is none.

    """
    if log_format not in FORMATS:
        raise SettingsError(f"LOG_FORMAT: expected one of {', '.join(FORMATS)}, not {log_format!r}")
    if level not in LEVELS:
        raise SettingsError(f"LOG_LEVEL: expected one of {', '.join(LEVELS)}, not {level!r}")
    as_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if as_text else EcsFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name.startswith(_ECS_FIELDS)}


def _error(record: logging.LogRecord) -> dict[str, Any]:
    """Return the type and places of a record's exception: its text may quote what must not be logged."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return {}
    places = traceback.extract_tb(error.__traceback__)
    trace = " < ".join(f"{place.filename}:{place.lineno} {place.name}" for place in reversed(places))
    return {"error.type": type(error).__qualname__, "error.stack_trace": trace}
