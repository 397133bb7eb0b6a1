"""``revertrisk redrive`` and ``revertrisk reconcile``: send again what was given up, and find what is missing."""

# ruff: noqa: PLC0415 - each command imports its program when it runs

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from revertrisk.cli import dispatcher_flags as flags


def redrive(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    source: Annotated[
        str,
        typer.Option(
            help="What was given up: dead-letters:FILE, or kafka:TOPIC with change-propagation's errors "
            "(eqiad.changeprop.error) or our own dead letters."
        ),
    ],
    rule: flags.RuleFile,
    target: flags.Target = None,
    any_topic: flags.AnyTopic = False,
    any_emitter: Annotated[
        bool,
        typer.Option(
            "--any-emitter",
            help="Send what rules of other names gave up as well. Default: only what a rule of this name gave up, "
            "less liftwing_ before it.",
        ),
    ] = False,
    dead_letters: Annotated[
        str, typer.Option(help="Where an event goes that is given up once more: a file, or kafka:TOPIC.")
    ] = "dead-letters-again.jsonl",
    status: Annotated[
        list[str],
        typer.Option(help="Only events whose last answer had this status: 503, 50x or 5xx; repeatable."),
    ] = [],  # noqa: B006 - Typer reads it
    reason: Annotated[
        list[str],
        typer.Option(
            help="Only events given up for this reason, as the dead letter has it: timeout, connection_refused, "
            "connection_reset, status_503, …, or no_status; repeatable."
        ),
    ] = [],  # noqa: B006 - Typer reads it
    rate: Annotated[float | None, typer.Option(help="Send at most this many events a second.")] = None,
    limit: flags.Limit = None,
    concurrency: flags.Concurrency = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Kafka: begin with what was given up at this time, such as 2026-11-21T08:00:00Z, if the group has "
            "read nothing yet. Default: the oldest.",
        ),
    ] = None,
    group: flags.Group = None,
    kafka_setting: flags.KafkaSettings = [],  # noqa: B006 - Typer reads it
    skips: flags.SkipsToWrite = None,
    dry_run: flags.DryRun = False,
) -> None:
    """Send again the events that were given up, once each, and end.

    A second run continues where the first one ended.
    Counts go to standard output, logs to standard error.

    Exit status: 0 if nothing was given up again, 1 if something was or
    broke, 2 if a flag or a rule cannot work. More in docs/dispatcher.md.

    revertrisk redrive --source dead-letters:dead-letters.jsonl
    --rule rule.yaml --target http://localhost:8080
    """
    from revertrisk.dispatcher import DispatchSettings, SettingsError, run
    from revertrisk.dispatcher.recovery.redrive import Choice, GivenUpEvents, redrive_settings

    try:
        flags.log_as_the_environment_says("INFO")
        choice = Choice(
            statuses=frozenset(status), reasons=frozenset(reason), any_emitter=any_emitter, per_second=rate
        )
        settings = redrive_settings(
            DispatchSettings(
                source=source,
                rule_file=rule,
                any_topic=any_topic,
                target=target,
                dead_letters=dead_letters,
                concurrency=concurrency,
                limit=limit,
                since=flags.parse_optional_time("since", since),
                group=group,
                kafka=tuple(kafka_setting),
                skips=skips,
            ),
            choice,
        )
    except SettingsError as exc:
        flags.refuse(exc)
    if dry_run:
        choice = replace(choice, per_second=None)  # nothing is sent, so nothing has to wait
    raise typer.Exit(
        run(
            settings,
            dry_run=dry_run,
            wrap=lambda inner, rules: GivenUpEvents(inner, choice, {rule.name for rule in rules}),
        )
    )


def reconcile(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    events: Annotated[
        str,
        typer.Option(
            help="Where page_change events are: jsonl:FILE, kafka:TOPIC[,TOPIC], eventstreams:STREAM or "
            "eventstreams:URL."
        ),
    ],
    predictions: Annotated[
        str, typer.Option(help="Where the predictions of one model are, in one of the same forms.")
    ],
    rule: flags.RuleFile,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="The first moment, by meta.dt, such as 2026-11-20T00:00:00Z.")
    ],
    until: Annotated[
        str, typer.Option(metavar="TIME", help="The moment after the last, such as 2026-11-21T00:00:00Z.")
    ],
    any_topic: flags.AnyTopic = False,
    skips: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Revisions that the server skipped, as dispatch --skips writes them.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, help="Write the list of what is missing here. Default: standard output."
        ),
    ] = None,
    datacentre: flags.Datacentres = [],  # noqa: B006 - Typer reads it
    kafka_setting: flags.KafkaSettings = [],  # noqa: B006 - Typer reads it
) -> None:
    """List the page_change events of a time whose prediction is missing.

    An event is missing if a rule takes it, no prediction of its revision is
    there, and neither the event nor --skips says why there can be none.
    Let --until be half an hour ago or more, so that every retry is over.
    Each line of the list is a dead letter, which redrive can send.

    Counts go to standard error. Exit status: 0 if nothing is missing, 1 if
    something is or nothing could be read, 2 if a flag or a rule cannot work,
    3 if nothing is missing but some records could not be read.

    revertrisk reconcile --events jsonl:events.jsonl --rule rule.yaml
    --predictions jsonl:predictions.jsonl
    --since 2026-11-20T00:00:00Z --until 2026-11-21T00:00:00Z
    """
    from revertrisk.dispatcher import SettingsError
    from revertrisk.dispatcher.recovery.reconcile_run import ReconcileSettings, run_reconciliation

    try:
        flags.log_as_the_environment_says("ERROR")
        settings = ReconcileSettings(
            events=events,
            predictions=predictions,
            rule_file=rule,
            any_topic=any_topic,
            since=flags.parse_time("since", since),
            until=flags.parse_time("until", until),
            skips=skips,
            output=output,
            datacentres=tuple(datacentre),
            kafka=tuple(kafka_setting),
        )
    except SettingsError as exc:
        flags.refuse(exc)
    raise typer.Exit(run_reconciliation(settings))
