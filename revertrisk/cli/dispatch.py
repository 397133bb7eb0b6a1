"""``revertrisk dispatch``: a stream of page_change events in, requests to a model server out."""

# ruff: noqa: PLC0415 - the program is imported when it runs

from pathlib import Path
from typing import Annotated

import typer

from revertrisk.cli import dispatcher_flags as flags


def dispatch(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    source: Annotated[
        str,
        typer.Option(
            help="Where events come from: jsonl:FILE, jsonl:- (standard input), kafka:TOPIC[,TOPIC], "
            "eventstreams:STREAM (Wikimedia's) or eventstreams:URL."
        ),
    ],
    rule: flags.RuleFile,
    target: flags.Target = None,
    any_topic: flags.AnyTopic = False,
    dead_letters: Annotated[
        str,
        typer.Option(
            help="Where an event goes that no try could deliver: a file, or kafka:TOPIC. redrive sends it again."
        ),
    ] = "dead-letters.jsonl",
    concurrency: flags.Concurrency = None,
    limit: flags.Limit = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="Files and EventStreams: remember in this file how far events are done, and continue there the next "
            "time.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Kafka and EventStreams: where to begin if nothing is remembered, such as 2026-11-21T08:00:00Z. "
            "Default: now.",
        ),
    ] = None,
    from_start: Annotated[
        bool,
        typer.Option(
            "--from-start", help="Kafka: begin at the oldest event if the group has read nothing yet."
        ),
    ] = False,
    datacentre: flags.Datacentres = [],  # noqa: B006 - Typer reads it
    group: flags.Group = None,
    kafka_setting: flags.KafkaSettings = [],  # noqa: B006 - Typer reads it
    retry_topic: Annotated[
        str | None,
        typer.Option(
            help="Kafka: the topic in which events wait for a retry that is more than ten seconds away; none keeps "
            "them in memory. Default: PREFIX.GROUP.retry."
        ),
    ] = None,
    refusal_limit: Annotated[
        int,
        typer.Option(min=0, help="Stop when this many requests in a row went to the dead letters; 0: never."),
    ] = 1000,
    skips: flags.SkipsToWrite = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, help="Serve Prometheus metrics on this port; 0 takes a free one.")
    ] = None,
    dry_run: flags.DryRun = False,
) -> None:
    """Send page_change events to a model server, those that a rule takes.

    Ends where the source ends, or on SIGTERM or Ctrl-C.
    Counts go to standard output, logs to standard error.
    LOG_FORMAT (ecs or text) and LOG_LEVEL are read from the environment.

    Exit status: 0 if nothing was given up, 1 if something was or broke,
    2 if a flag or a rule cannot work. More in docs/dispatcher.md.

    revertrisk dispatch --source jsonl:events.jsonl --rule rule.yaml
    --target http://localhost:8080
    """
    from revertrisk.dispatcher.app import DispatchSettings, SettingsError, run

    try:
        flags.log_as_the_environment_says("INFO")
        settings = DispatchSettings(
            source=source,
            rule_file=rule,
            any_topic=any_topic,
            target=target,
            dead_letters=dead_letters,
            concurrency=concurrency,
            limit=limit,
            checkpoint=checkpoint,
            since=flags.parse_optional_time("since", since),
            from_start=from_start,
            datacentres=tuple(datacentre),
            group=group,
            kafka=tuple(kafka_setting),
            retry_topic=retry_topic,
            refusal_limit=refusal_limit or None,
            skips=skips,
            metrics_port=metrics_port,
        )
    except SettingsError as exc:
        flags.refuse(exc)
    raise typer.Exit(run(settings, dry_run=dry_run))
