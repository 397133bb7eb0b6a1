"""``revertrisk redrive`` and ``revertrisk reconcile``: send again what was given up, and find what is missing."""

# ruff: noqa: PLC0415 - each command imports its program when it runs

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

RuleFile = Annotated[
    Path, typer.Option("--rule", exists=True, dir_okay=False, help="Rules in change-propagation's terms.")
]
KafkaSettings = Annotated[
    list[str],
    typer.Option(
        "--kafka-setting",
        help="A setting of librdkafka as key=value; repeatable. Environment: KAFKA_BOOTSTRAP_SERVERS, "
        "KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_…, KAFKA_SSL_….",
    ),
]
Datacentres = Annotated[
    list[str], typer.Option("--datacentre", help="Prefix of the topics, such as eqiad; repeatable.")
]
Time = Annotated[
    str | None, typer.Option(help="A time with its zone, such as 2026-11-21T08:00:00Z.", metavar="TIME")
]
NeededTime = Annotated[
    str, typer.Option(help="A time with its zone, such as 2026-11-21T08:00:00Z.", metavar="TIME")
]
EXIT_UNUSABLE = 2


def redrive(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    source: Annotated[
        str,
        typer.Option(
            help="dead-letters:FILE, or kafka:TOPIC: change-propagation's error topic "
            "(eqiad.changeprop.error), or our own dead letters."
        ),
    ],
    rule: RuleFile,
    target: Annotated[str | None, typer.Option(help="The server's base address, http://host:port.")] = None,
    dead_letters: Annotated[
        str, typer.Option(help="Where goes what is given up again: a file, or kafka:TOPIC.")
    ] = "dead-letters-again.jsonl",
    status: Annotated[
        list[str], typer.Option(help="Only what ended with this status: 503, 50x or 5xx; repeatable.")
    ] = [],  # noqa: B006 - Typer reads it
    reason: Annotated[
        list[str], typer.Option(help="Only what was given up for this reason, such as timeout; repeatable.")
    ] = [],  # noqa: B006 - Typer reads it
    rate: Annotated[float | None, typer.Option(help="At most so many events a second.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many events.")] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Requests at a time; default: the rule's.")
    ] = None,
    since: Time = None,
    group: Annotated[
        str | None, typer.Option(help="The consumer group, which remembers how far it came.")
    ] = None,
    kafka_setting: KafkaSettings = [],  # noqa: B006 - Typer reads it
    dry_run: Annotated[bool, typer.Option(help="Send nothing: say which rule takes each event.")] = False,
) -> None:
    """Send again what was given up, once; a second run goes on where the first one ended.

    Exits 0 only if nothing was given up again.
    """
    from dispatcher import DispatchSettings, SettingsError, run
    from dispatcher.redrive import Choice, GivenUpEvents, redrive_settings

    try:
        settings = redrive_settings(
            DispatchSettings(
                source=source,
                rule_file=rule,
                target=target,
                dead_letters=dead_letters,
                concurrency=concurrency,
                limit=limit,
                since=None if since is None else parse_time("since", since),
                group=group,
                kafka=tuple(kafka_setting),
            )
        )
        choice = Choice(statuses=frozenset(status), reasons=frozenset(reason), per_second=rate)
    except SettingsError as exc:
        typer.echo(f"revertrisk: {exc}", err=True)
        raise typer.Exit(EXIT_UNUSABLE) from exc
    raise typer.Exit(
        run(
            settings,
            dry_run=dry_run,
            wrap=lambda inner, rules: GivenUpEvents(inner, choice, {rule.name for rule in rules}),
        )
    )


def reconcile(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    events: Annotated[
        str, typer.Option(help="page_change events: jsonl:FILE, kafka:TOPIC or eventstreams:STREAM.")
    ],
    predictions: Annotated[str, typer.Option(help="The predictions of one model, likewise.")],
    rule: RuleFile,
    since: NeededTime,
    until: NeededTime,
    skips: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="What the dispatcher noted with --skips."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where the list goes; default: standard output.")
    ] = None,
    datacentre: Datacentres = [],  # noqa: B006 - Typer reads it
    kafka_setting: KafkaSettings = [],  # noqa: B006 - Typer reads it
) -> None:
    """List the page_change events of a time for which a prediction is due and none is on the stream.

    Each line is a dead letter that redrive reads. Exits 0 only if nothing is missing.
    """
    from dispatcher import SettingsError
    from dispatcher.reconcile_run import ReconcileSettings, run_reconciliation

    try:
        settings = ReconcileSettings(
            events=events,
            predictions=predictions,
            rule_file=rule,
            since=parse_time("since", since),
            until=parse_time("until", until),
            skips=skips,
            output=output,
            datacentres=tuple(datacentre),
            kafka=tuple(kafka_setting),
        )
    except SettingsError as exc:
        typer.echo(f"revertrisk: {exc}", err=True)
        raise typer.Exit(EXIT_UNUSABLE) from exc
    raise typer.Exit(run_reconciliation(settings))


def parse_time(name: str, written: str) -> datetime:
    """Return the time that a flag names; raises SettingsError."""
    from dispatcher import SettingsError

    problem = f"{name}: expected a time with its zone, such as 2026-11-21T08:00:00Z"
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise SettingsError(problem) from None
    if moment.tzinfo is None:
        raise SettingsError(problem)
    return moment
