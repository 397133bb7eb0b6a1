"""``revertrisk redrive`` sends dead letters again; ``revertrisk reconcile`` finds missing predictions."""

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
            help="The dead letters: dead-letters:FILE, or kafka:TOPIC with our own dead letters or with "
            "change-propagation's errors (eqiad.changeprop.error)."
        ),
    ],
    rule: flags.RuleFile,
    target: flags.Target = None,
    any_topic: flags.AnyTopic = False,
    any_emitter: Annotated[
        bool,
        typer.Option(
            "--any-emitter",
            help="Also send dead letters of rules with other names. Default: only those of rules with the same name, "
            "with or without the prefix liftwing_.",
        ),
    ] = False,
    dead_letters: Annotated[
        str, typer.Option(help="Where events are written that fail again: a file, or kafka:TOPIC.")
    ] = "dead-letters-again.jsonl",
    status: Annotated[
        list[str],
        typer.Option(help="Only events whose last answer had this status: 503, 50x or 5xx; repeatable."),
    ] = [],  # noqa: B006 - Typer reads it
    reason: Annotated[
        list[str],
        typer.Option(
            help="Only dead letters with this reason: timeout, connection_refused, connection_reset, status_503, …, "
            "or no_status; repeatable."
        ),
    ] = [],  # noqa: B006 - Typer reads it
    rate: Annotated[float | None, typer.Option(help="Send at most this many events a second.")] = None,
    limit: flags.Limit = None,
    concurrency: flags.Concurrency = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Kafka: begin with dead letters of this time, such as 2026-11-21T08:00:00Z, if the group has no "
            "offsets yet. Default: the oldest.",
        ),
    ] = None,
    group: flags.Group = None,
    kafka_setting: flags.KafkaSettings = [],  # noqa: B006 - Typer reads it
    skips: flags.SkipsToWrite = None,
    dry_run: flags.DryRun = False,
) -> None:
    """Send the events in dead letters again, once each, and end.

    A second run continues where the first one ended.
    Counts are written to standard output, logs to standard error.

    Exit status: 0 if no event became a dead letter again, 1 if one did or
    something else failed, 2 if a flag or a rule cannot be used.
    More in docs/dispatcher.md.

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
        choice = replace(choice, per_second=None)  # nothing is sent, so the rate does not matter
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
            help="The source of page_change events: jsonl:FILE, kafka:TOPIC[,TOPIC], eventstreams:STREAM or "
            "eventstreams:URL."
        ),
    ],
    predictions: Annotated[
        str, typer.Option(help="The source of one model's predictions, in one of the same forms.")
    ],
    rule: flags.RuleFile,
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="The start of the period, by meta.dt, such as 2026-11-20T00:00:00Z."
        ),
    ],
    until: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="The end of the period, which is not included, such as 2026-11-21T00:00:00Z."
        ),
    ],
    any_topic: flags.AnyTopic = False,
    skips: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="The file of skipped revisions that dispatch --skips wrote.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Where the list is written. Default: standard output."),
    ] = None,
    datacentre: flags.Datacentres = [],  # noqa: B006 - Typer reads it
    kafka_setting: flags.KafkaSettings = [],  # noqa: B006 - Typer reads it
) -> None:
    """List the page_change events of a period whose prediction is missing.

    A prediction is missing if a rule takes the event, the source of
    predictions has none for its revision, and neither the event nor --skips
    has a reason for that. Set --until at least half an hour back, so that
    all retries are over. Each line of the list is a dead letter, which
    redrive can send.

    Counts are written to standard error. Exit status: 0 if nothing is
    missing, 1 if something is missing or nothing could be read, 2 if a flag
    or a rule cannot be used, 3 if nothing is missing but some records could
    not be read.

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
