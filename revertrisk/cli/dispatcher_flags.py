"""The flags that ``dispatch``, ``redrive`` and ``reconcile`` share, and how commands say what is wrong."""

# ruff: noqa: PLC0415 - the dispatcher is imported when a command of it runs

import errno
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

EXIT_INCOMPLETE = 1
"""Something broke on the way."""
EXIT_UNUSABLE = 2
"""A flag, a file or an address cannot be used; nothing was done."""
_BROKEN_ON_THE_WAY = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})
"""What happens to a file that could be opened."""

RuleFile = Annotated[
    Path,
    typer.Option(
        "--rule",
        exists=True,
        dir_okay=False,
        help="YAML file that says which events are sent, and how. Lift Wing's production rules are in "
        "revertrisk/dispatcher/rules.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Base address of the model server, such as http://localhost:8080: {{globals.target}} in the rules.",
    ),
]
AnyTopic = Annotated[
    bool,
    typer.Option(
        "--any-topic",
        help="Take events of any topic or stream, not only of the one that each rule names.",
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(min=1, help="Requests under way at once, for each rule. Default: what the rule says."),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Stop after reading this many events.")]
Group = Annotated[
    str | None,
    typer.Option(
        help="Kafka: the consumer group, which remembers how far it has read. Default: named after the rules."
    ),
]
KafkaSettings = Annotated[
    list[str],
    typer.Option(
        "--kafka-setting",
        metavar="KEY=VALUE",
        help="Kafka: a setting of librdkafka, such as bootstrap.servers=kafka1:9092; repeatable. KEY=@FILE reads the "
        "value from a file. Or in the environment: KAFKA_BOOTSTRAP_SERVERS, KAFKA_SASL_PASSWORD and so on.",
    ),
]
Datacentres = Annotated[
    list[str],
    typer.Option(
        metavar="PREFIX",
        help="Kafka: read PREFIX.TOPIC instead of TOPIC, such as eqiad; repeat it to read several.",
    ),
]
SkipsToWrite = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        help="Add a line to this file for each revision that the server skips, so that reconcile does not take it "
        "for missing.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Send nothing and remember nothing: say which rule takes each event, or why none."
    ),
]


def parse_time(name: str, written: str) -> datetime:
    """Return the time that a flag names; raises SettingsError."""
    from revertrisk.dispatcher import SettingsError

    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise SettingsError(f"{name}: expected a time with its zone, such as 2026-11-21T08:00:00Z")
    return moment


def parse_optional_time(name: str, written: str | None) -> datetime | None:
    """Return the time that a flag names, None where it is not given; raises SettingsError."""
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
    """Say on standard error what is wrong, and exit."""
    raise typer.Exit(complain(problem)) from problem


def refuse_to_listen(problem: Exception, host: str, port: int) -> NoReturn:
    """Refuse; name an address that cannot be listened on, and what to do: the system's own words do neither."""
    if isinstance(problem, OSError) and problem.filename is None:  # a file's error names the file
        reason = str(problem.strerror or problem).rpartition(": ")[2]
        problem = ValueError(
            f"{host}:{port} cannot be listened on: {reason}; give another --port, 0 for a free one, or another --host"
        )
    refuse(problem)


def complain(problem: Exception) -> int:
    """Say on standard error what is wrong, and return the exit status."""
    text, status = str(problem), EXIT_UNUSABLE
    if isinstance(problem, OSError):
        if problem.strerror is not None:  # its own text begins with [Errno 2]
            text = ": ".join(str(part) for part in (problem.filename, problem.strerror) if part is not None)
        status = EXIT_INCOMPLETE if problem.errno in _BROKEN_ON_THE_WAY else EXIT_UNUSABLE
    typer.echo(f"revertrisk: {text}", err=True)
    return status
