"""``revertrisk dispatch``: sends the page_change events of a stream to a model server."""

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
            help="Where events are written after the last failed try: a file, or kafka:TOPIC. redrive sends them again."
        ),
    ] = "dead-letters.jsonl",
    concurrency: flags.Concurrency = None,
    limit: flags.Limit = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="Files and EventStreams: keep the position in this file, and continue from it the next time.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Kafka and EventStreams: where to begin if there is no position yet, such as 2026-11-21T08:00:00Z. "
            "Default: now.",
        ),
    ] = None,
    from_start: Annotated[
        bool,
        typer.Option(
            "--from-start", help="Kafka: begin at the oldest event if the group has no offsets yet."
        ),
    ] = False,
    datacentre: flags.Datacentres = [],  # noqa: B006 - Typer reads it
    group: flags.Group = None,
    kafka_setting: flags.KafkaSettings = [],  # noqa: B006 - Typer reads it
    retry_topic: Annotated[
        str | None,
        typer.Option(
            help="Kafka: the topic for events whose retry is more than ten seconds later; none keeps them in memory. "
            "Default: PREFIX.GROUP.retry."
        ),
    ] = None,
    refusal_limit: Annotated[
        int,
        typer.Option(min=0, help="Stop after this many dead letters in a row; 0: never."),
    ] = 1000,
    skips: flags.SkipsToWrite = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, help="Serve Prometheus metrics on this port; 0 takes a free one.")
    ] = None,
    dry_run: flags.DryRun = False,
) -> None:
    """Send the page_change events that a rule takes to a model server.

    It ends when the source ends, or on SIGTERM or Ctrl-C.
    Counts are written to standard output, logs to standard error.
    LOG_FORMAT (ecs or text) and LOG_LEVEL are read from the environment.

    Exit status: 0 if no event became a dead letter, 1 if one did or
    something else failed, 2 if a flag or a rule cannot be used.
    More in docs/dispatcher.md.

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
