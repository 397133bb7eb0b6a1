"""Logging: one ECS line a request on stdout, and nothing personal in any line.

An exception's text may quote a revision, a user name or an answer's body (mwapi and KServe do), so a log
line shows its type and the places it passed through, never its text.
"""

import contextvars
import logging
import sys
import time
import traceback
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar, Literal

import orjson

LogLabels = dict[str, str | int | float]
_labels: contextvars.ContextVar[LogLabels] = contextvars.ContextVar("log_labels")

QUIET = {
    "kserve": "WARNING",
    "kserve.trace": "WARNING",
    "uvicorn": "WARNING",
    "mwapi": "ERROR",
    "py.warnings": "ERROR",
}
"""Frameworks speak up only when something is wrong; mwapi's warnings quote whole queries, user names included."""

ECS_VERSION = "1.6.0"


def start_labels(request_id: str) -> LogLabels:
    """Begin the labels of one request; they ride on its context until its log line is written."""
    labels: LogLabels = {"http.request.id": request_id}
    _labels.set(labels)
    return labels


def label(**labels: str | float) -> None:
    """Add labels (``wiki_id``, ``rev_id``) to the current request's log line; without a request, do nothing."""
    current = _labels.get(None)
    if current is not None:
        current.update({f"labels.{name}": value for name, value in labels.items()})


class timed:  # noqa: N801 - a context, read as a word: with timed("fetch")
    """Labels the current request's log line with the time that a step took, in milliseconds."""

    __slots__ = ("_started", "_step")

    def __init__(self, step: str) -> None:
        self._step = step

    def __enter__(self) -> None:
        """Note the time."""
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        """Label what has passed since."""
        label(**{f"{self._step}_ms": round((time.perf_counter() - self._started) * 1000, 3)})


class RequestLabels(logging.Filter):
    """Puts the labels of the current request on every record that is made while it is served."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add what the record does not have, and let it pass."""
        for name, value in _labels.get({}).items():
            record.__dict__.setdefault(name, value)
        return True


class ExceptionPlaces(logging.Filter):
    """Replaces a record's exception by its type and places, dropping every text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place and let it pass."""
        if isinstance(record.args, tuple):  # KServe formats exceptions into its messages
            record.args = tuple(
                type(arg).__qualname__ if isinstance(arg, BaseException) else arg for arg in record.args
            )
        if record.exc_info and record.exc_info[1] is not None:
            record.__dict__.update(describe_exception(record.exc_info[1]))
            record.exc_info = None
        return True


def describe_exception(error: BaseException) -> dict[str, str]:
    """Return ECS's ``error.type`` and ``error.stack_trace`` for an exception and its causes, without any text."""
    chain = []
    current: BaseException | None = error
    while current is not None:
        places = traceback.extract_tb(current.__traceback__)
        frames = " < ".join(f"{place.filename}:{place.lineno} {place.name}" for place in reversed(places))
        chain.append(f"{type(current).__module__}.{type(current).__qualname__} at {frames or 'unknown'}")
        current = current.__cause__
    return {"error.type": type(error).__qualname__, "error.stack_trace": "\ncaused by ".join(chain)}


class EcsFormatter(logging.Formatter):
    """Renders a record as ecs-logging does, without the fields that are the same on every line.

    A line is written for every request, and ecs-logging spends four times the CPU on it; a test holds both to
    the same lines.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write one JSON object: every attribute whose name has a dot is an ECS field, nested as its name says."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "@timestamp": at.replace("+00:00", "Z"),
            "log.level": record.levelname.lower(),
            "message": record.getMessage(),
            "ecs.version": ECS_VERSION,
            "log": {"logger": record.name},
            "process": {"pid": record.process},
        }
        for name, value in record.__dict__.items():
            if "." in name:
                *groups, last = _path(name)
                place = line
                for group in groups:
                    place = place.setdefault(group, {})
                place[last] = value
        return orjson.dumps(line, default=str).decode()


@lru_cache(maxsize=1000)
def _path(name: str) -> tuple[str, ...]:
    return tuple(name.split("."))


class TextFormatter(logging.Formatter):
    """Renders a record for a person at a terminal."""

    COLOURS: ClassVar = {
        logging.WARNING: "\033[33m",
        logging.ERROR: "\033[31m",
        logging.CRITICAL: "\033[31;1m",
    }

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, message and the request's labels on one line."""
        labels = " ".join(
            f"{name.removeprefix('labels.')}={value}"
            for name, value in record.__dict__.items()
            if name.startswith(("labels.", "http.", "error.", "event."))
        )
        colour = self.COLOURS.get(record.levelno, "")
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:<7} {record.getMessage()} {labels}"
        return f"{colour}{line.rstrip()}\033[0m" if colour else line.rstrip()


def configure_logging(log_format: Literal["auto", "ecs", "text"], level: str) -> None:
    """Send the root logger to stdout; ``auto`` is text on a terminal and ECS otherwise."""
    as_text = log_format == "text" or (log_format == "auto" and sys.stdout.isatty())
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(TextFormatter() if as_text else EcsFormatter())
    handler.addFilter(RequestLabels())
    handler.addFilter(ExceptionPlaces())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # What no line of ours shows need not be found out (the logging how-to, "Optimization").
    logging._srcfile = None  # noqa: SLF001 - documented there
    logging.logThreads = logging.logMultiprocessing = False
    logging.captureWarnings(capture=True)
    for name, quiet_level in QUIET.items():
        logging.getLogger(name).setLevel(quiet_level)
