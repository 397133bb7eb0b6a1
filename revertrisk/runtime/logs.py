"""Logging of every program: lines of Elastic Common Schema JSON for a collector, or text for a person.

No line contains anything personal. An exception's text can quote a revision, a user name or an answer's body, so a
line has its type and the code lines of its traceback, never its text.
"""

import contextvars
import logging
import os
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, TextIO

import orjson

Fields = dict[str, Any]
"""ECS fields, nested as in the output."""

_request: contextvars.ContextVar[Fields] = contextvars.ContextVar("request_fields")

FORMATS: Final = ("auto", "ecs", "text")
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")

QUIET = {
    "kserve": "WARNING",
    "kserve.trace": "WARNING",
    "uvicorn": "WARNING",
    "mwapi": "ERROR",
    "py.warnings": "ERROR",
}
"""Frameworks log only problems. mwapi's warnings quote whole queries, including user names, so it logs only errors."""

ECS_VERSION = "1.6.0"


def start_request(request_id: str) -> Fields:
    """Start the fields of one request in the present context; every log line in that context has them."""
    fields: Fields = {"http": {"request": {"id": request_id}}, "labels": {}}
    _request.set(fields)
    return fields


def label(**labels: str | float) -> None:
    """Add labels (``wiki_id``, ``rev_id``) to the current request's log line; without a request, do nothing."""
    fields = _request.get(None)
    if fields is not None:
        fields["labels"].update(labels)


class timed:  # noqa: N801 - a context manager, used as: with timed("fetch")
    """Labels the current request's log line with the duration of a step, in milliseconds."""

    __slots__ = ("_name", "_started")

    def __init__(self, step: str) -> None:
        self._name = f"{step}_ms"

    def __enter__(self) -> None:
        """Store the start time."""
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        """Add the label."""
        fields = _request.get(None)
        if fields is not None:
            fields["labels"][self._name] = int((time.perf_counter() - self._started) * 1e6) / 1000


class ExceptionPlaces(logging.Filter):
    """Replaces a record's exception by its type and traceback, without any text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record and accept it."""
        if record.exc_info and record.exc_info[1] is not None:
            error = describe_exception(record.exc_info[1])
            record.__dict__.update({f"error.{name}": value for name, value in error.items()})
            record.exc_info = None
        return True


class ExceptionArguments(logging.Filter):
    """Replaces exceptions in a message's arguments by their types, since KServe formats them into its messages."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record and accept it."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                type(arg).__qualname__ if isinstance(arg, BaseException) else arg for arg in record.args
            )
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
    return {"type": type(error).__qualname__, "stack_trace": "\ncaused by ".join(chain)}


def fields_of(record: logging.LogRecord) -> Fields:
    """Return the fields of the current request, and the record's own: its attributes with a dot in their name."""
    fields = dict(_request.get({}))
    for name, value in record.__dict__.items():
        if "." in name:
            *groups, last = name.split(".")
            place = fields
            for group in groups:
                inner = place[group] = dict(
                    place.get(group, {})
                )  # a copy, since the request may own the original
                place = inner
            place[last] = value
    return fields


def ecs_line(created: float, level: str, message: str, logger_name: str, fields: Fields) -> str:
    """Write one JSON object; ``created`` is in Unix seconds."""
    at = datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds")
    line = {
        "@timestamp": at.replace("+00:00", "Z"),
        "log.level": level.lower(),
        "message": message,
        "ecs.version": ECS_VERSION,
        **fields,
        "log": {"logger": logger_name, **fields.get("log", {})},
        "process": {"pid": os.getpid(), **fields.get("process", {})},
    }
    return orjson.dumps(line, default=str).decode()


class EcsFormatter(logging.Formatter):
    """Formats a record as ecs-logging does, without the fields that are the same on every line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one JSON object."""
        return ecs_line(record.created, record.levelname, record.getMessage(), record.name, fields_of(record))


class EcsHandler(logging.StreamHandler[TextIO]):
    """Writes records as ECS, and lines that have never been records."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.setFormatter(EcsFormatter())

    def write_line(self, line: str) -> None:
        """Write a whole line.

        Raises:
            OSError, ValueError: the stream cannot be written to.

        """
        self.acquire()
        try:
            self.stream.write(f"{line}\n")
            self.stream.flush()
        finally:
            self.release()


def log_request(logger: logging.Logger, level: int, message: str, fields: Fields) -> None:
    """Write the line that ``logger`` writes of the current request, whose fields these are.

    As ECS it is written without a record, its filters and handlers: they cost more than the line.
    """
    if not logger.isEnabledFor(level):
        return
    handlers = logging.getLogger().handlers
    if len(handlers) == 1 and isinstance(handlers[0], EcsHandler):
        try:
            line = ecs_line(time.time(), logging.getLevelName(level), message, logger.name, fields)
            handlers[0].write_line(line)
        except (OSError, TypeError, ValueError):
            pass  # logging tries once more, and reports it as for any line
        else:
            return
    logger.log(level, message)


class TextFormatter(logging.Formatter):
    """Formats a record for a person."""

    COLOURS: ClassVar = {
        logging.WARNING: "\033[33m",
        logging.ERROR: "\033[31m",
        logging.CRITICAL: "\033[31;1m",
    }

    def __init__(self, *, coloured: bool = True) -> None:
        super().__init__()
        self._colours = self.COLOURS if coloured else {}

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, message and the request's fields on one line."""
        fields = " ".join(
            f"{name.removeprefix('labels.')}={value}"
            for name, value in _flat(fields_of(record))
            if name.startswith(("labels.", "http.", "error.", "event."))
        )
        colour = self._colours.get(record.levelno, "")
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:<7} {record.getMessage()} {fields}"
        return f"{colour}{line.rstrip()}\033[0m" if colour else line.rstrip()


def _flat(fields: Fields, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def configure_logging_from_environment(
    default_level: str, stream: TextIO, *, terminal: logging.Handler | None = None
) -> None:
    """Set up logging from LOG_FORMAT and LOG_LEVEL; raises ValueError as `configure_logging` does."""
    log_format, level = os.environ.get("LOG_FORMAT") or "auto", os.environ.get("LOG_LEVEL") or default_level
    configure_logging(log_format, level, stream, terminal=terminal if stream.isatty() else None)


def configure_logging(
    log_format: str,
    level: str,
    stream: TextIO,
    *,
    terminal: logging.Handler | None = None,
    hides_arguments: bool = False,
) -> None:
    """Send the root logger to a stream; ``auto`` is text on a terminal and ECS otherwise.

    ``terminal`` is a handler that writes text instead of the stream. ``hides_arguments`` is for programs whose
    libraries format exceptions into their messages. Other programs log only our own errors, whose text is needed.

    Raises:
        ValueError: the format or the level is unknown; the message names LOG_FORMAT or LOG_LEVEL.

    """
    if log_format not in FORMATS:
        raise ValueError(f"LOG_FORMAT: expected one of {', '.join(FORMATS)}, not {log_format!r}")
    if level not in LEVELS:
        raise ValueError(f"LOG_LEVEL: expected one of {', '.join(LEVELS)}, not {level!r}")
    as_text = log_format == "text" or (log_format == "auto" and stream.isatty())
    handler: logging.Handler = EcsHandler(stream)
    if as_text:
        handler = logging.StreamHandler(stream) if terminal is None else terminal
        handler.setFormatter(TextFormatter(coloured=terminal is None))
    handler.addFilter(ExceptionPlaces())
    if hides_arguments:
        handler.addFilter(ExceptionArguments())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # No line of ours has the source file, the thread or the process name, so logging need not find them
    # ("Optimization" in Python's logging how-to).
    logging._srcfile = None  # noqa: SLF001 - documented there
    logging.logThreads = logging.logMultiprocessing = False
    logging.captureWarnings(capture=True)
    for name, quiet_level in QUIET.items():
        logging.getLogger(name).setLevel(quiet_level)
