"""Flags that several commands share, and how commands report errors."""

# ruff: noqa: PLC0415 - the dispatcher is imported only by commands that use it

import errno
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

EXIT_INCOMPLETE = 1
"""Something failed during the run."""
EXIT_UNUSABLE = 2
"""A flag, a file or an address cannot be used; nothing was done."""
_FAILED_LATER = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})
"""Errors of a file that was opened before, such as a full disk."""

RuleFile = Annotated[
    Path,
    typer.Option(
        "--rule",
        exists=True,
        dir_okay=False,
        help="A YAML file: which events are sent, and how. Lift Wing's production rules are in "
        "revertrisk/dispatcher/rules.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Base address of the model server, such as http://localhost:8080, for {{globals.target}} in the rules.",
    ),
]
AnyTopic = Annotated[
    bool,
    typer.Option(
        "--any-topic",
        help="Take events from all topics and streams, not only from the one in each rule.",
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(min=1, help="Concurrent requests, for each rule. Default: the rule's own number."),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Stop after reading this many events.")]
Group = Annotated[
    str | None,
    typer.Option(
        help="Kafka: the consumer group, which keeps the offsets. Default: a name made from the rules' names."
    ),
]
KafkaSettings = Annotated[
    list[str],
    typer.Option(
        "--kafka-setting",
        metavar="KEY=VALUE",
        help="Kafka: a setting of librdkafka, such as bootstrap.servers=kafka1:9092; repeatable. KEY=@FILE reads the "
        "value from a file. In the environment: KAFKA_BOOTSTRAP_SERVERS, KAFKA_SASL_PASSWORD and so on.",
    ),
]
Datacentres = Annotated[
    list[str],
    typer.Option(
        metavar="PREFIX",
        help="Kafka: read PREFIX.TOPIC instead of TOPIC, such as eqiad; repeatable.",
    ),
]
SkipsToWrite = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        help="Append a line to this file for each revision that the server skips; reconcile --skips reads it.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Send nothing and store no position; show which rule takes each event, or why none does.",
    ),
]


def parse_time(name: str, written: str) -> datetime:
    """Return the time in a flag; raises SettingsError."""
    from revertrisk.dispatcher import SettingsError

    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise SettingsError(f"{name}: expected a time with its zone, such as 2026-11-21T08:00:00Z")
    return moment


def parse_optional_time(name: str, written: str | None) -> datetime | None:
    """Return the time in a flag, None if it is not given; raises SettingsError."""
    return None if written is None else parse_time(name, written)


def log_as_the_environment_says(default_level: str) -> None:
    """Set up logging by ``LOG_FORMAT`` and ``LOG_LEVEL``; raises SettingsError."""
    from revertrisk.dispatcher import SettingsError
    from revertrisk.runtime.logs import configure_logging_from_environment

    try:
        configure_logging_from_environment(default_level, sys.stderr)
    except ValueError as exc:
        raise SettingsError(str(exc)) from None


def refuse(problem: Exception) -> NoReturn:
    """Write an error to standard error, and exit with its status."""
    raise typer.Exit(complain(problem)) from problem


def refuse_to_listen(problem: Exception, host: str, port: int) -> NoReturn:
    """Write an error and exit. If the address cannot be listened on, the message names it and says what to do."""
    if isinstance(problem, OSError) and problem.filename is None:  # an error of a file has the file's name
        reason = str(problem.strerror or problem).rpartition(": ")[2]
        problem = ValueError(
            f"{host}:{port} cannot be listened on: {reason}; give another --port, 0 for a free one, or another --host"
        )
    refuse(problem)


def complain(problem: Exception) -> int:
    """Write an error to standard error, and return the exit status."""
    text, status = str(problem), EXIT_UNUSABLE
    if isinstance(problem, OSError):
        if problem.strerror is not None:  # str(problem) begins with [Errno 2]
            text = ": ".join(str(part) for part in (problem.filename, problem.strerror) if part is not None)
        status = EXIT_INCOMPLETE if problem.errno in _FAILED_LATER else EXIT_UNUSABLE
    typer.echo(f"revertrisk: {text}", err=True)
    return status
