"""The ``revertrisk`` command. Each subcommand imports its program when it runs: torch and KServe are not for all."""

# ruff: noqa: PLC0415 - see above

import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from cli import models
from cli.redrive import Datacentres, KafkaSettings, Time, parse_time, reconcile, redrive

app = typer.Typer(
    name="revertrisk", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
app.add_typer(models.app)
app.command()(redrive)
app.command()(reconcile)

EXIT_UNUSABLE = 2
"""A flag, a file or an address cannot be used; nothing was done."""

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Dump = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="A MediaWiki XML export, plain or compressed; default: samples."
    ),
]


@app.callback()
def revertrisk() -> None:
    """Score wiki edits for revert risk, and publish each prediction through EventGate."""


@app.command()
def serve(
    http_host: Annotated[str | None, typer.Option(help="Address to listen on [env: HTTP_HOST].")] = None,
    http_port: Annotated[
        int | None, typer.Option(help="HTTP port, 0 for a free one [env: HTTP_PORT].")
    ] = None,
    grpc_port: Annotated[
        int | None, typer.Option(help="gRPC port, 0 for a free one [env: GRPC_PORT].")
    ] = None,
) -> None:
    """Run the KServe model server; every other setting comes from the environment."""
    from model_server.__main__ import main as run_server

    flags = {"http_host": http_host, "http_port": http_port, "grpc_port": grpc_port}
    raise typer.Exit(run_server(**{name: value for name, value in flags.items() if value is not None}))


@app.command()
def mock_eventgate(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8192,
    stream_config: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Streams as YAML or JSON; default: ours.")
    ] = None,
    max_body: Annotated[int, typer.Option(help="The largest request it reads, in bytes.")] = 100 * 1024,
    event_ids: Annotated[
        Literal["offset", "timestamp"], typer.Option(help="What a reader of /v2/stream resumes by.")
    ] = "offset",
    max_stream_seconds: Annotated[
        float | None, typer.Option(help="End each /v2/stream response after so long.")
    ] = None,
    diff_base: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A mock MediaWiki whose diff pages the live page links to."),
    ] = None,
) -> None:
    """Run a mock EventGate that judges events as the real one does, and shows what it accepts and refuses."""
    from mock_eventgate.__main__ import run
    from mock_eventgate.app import Options

    try:
        options = Options(
            stream_config=stream_config,
            max_body=max_body,
            event_ids=event_ids,
            max_stream_seconds=max_stream_seconds,
            diff_base=diff_base,
        )
        run(host, port, options)
    except (ValueError, OSError) as exc:
        _refuse(exc)


@app.command()
def mock_mediawiki(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8193,
    dump: Dump = None,
) -> None:
    """Run a mock MediaWiki: the Action API over sample pages in many languages, or over an export."""
    from mock_mediawiki.__main__ import run
    from mock_mediawiki.export import ExportError

    try:
        run(host, port, dump)
    except (ExportError, OSError) as exc:
        _refuse(exc)


@app.command()
def page_changes(
    dump: Dump = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many events.")] = None,
) -> None:
    """Write the page_change events of the sample pages, or of an export, as JSON lines, oldest first."""
    from event_platform.wikis import WikiTable
    from mock_mediawiki.__main__ import open_history
    from mock_mediawiki.export import ExportError
    from mock_mediawiki.page_changes import write_page_changes

    wikis = WikiTable.load()
    try:
        write_page_changes(open_history(dump, wikis), wikis, sys.stdout.buffer, limit)
    except (ExportError, OSError) as exc:
        _refuse(exc)


@app.command()
def dispatch(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    source: Annotated[
        str,
        typer.Option(
            help="Where events come from: jsonl:FILE, jsonl:- (standard input), kafka:TOPIC,… or eventstreams:STREAM."
        ),
    ],
    rule: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Rules in change-propagation's terms.")
    ],
    target: Annotated[str | None, typer.Option(help="The server's base address, http://host:port.")] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Requests at a time; default: the rule's.")
    ] = None,
    dead_letters: Annotated[
        str, typer.Option(help="Where given-up events are kept: a file, or kafka:TOPIC.")
    ] = "dead-letters.jsonl",
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many events.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Go on from here: files and EventStreams.")
    ] = None,
    since: Time = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="A new consumer group begins at the oldest event.")
    ] = False,
    datacentre: Datacentres = [],  # noqa: B006 - Typer reads it
    group: Annotated[
        str | None, typer.Option(help="The consumer group; default: named after the rules.")
    ] = None,
    kafka_setting: KafkaSettings = [],  # noqa: B006 - Typer reads it
    retry_topic: Annotated[
        str | None, typer.Option(help="Where long retries wait on Kafka, or none; default: DC.GROUP.retry.")
    ] = None,
    refusal_limit: Annotated[
        int, typer.Option(min=0, help="Stop when so many requests in a row were given up; 0: never.")
    ] = 1000,
    skips: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Note what the server skipped, for reconcile.")
    ] = None,
    metrics_port: Annotated[int | None, typer.Option(min=0, help="Serve Prometheus metrics here.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing: say which rule takes each event, or why none.")
    ] = False,
) -> None:
    """Hand page_change events to a model server; exit 0 only if nothing had to be given up."""
    from dispatcher.app import DispatchSettings, SettingsError, run

    try:
        settings = DispatchSettings(
            source=source,
            rule_file=rule,
            target=target,
            dead_letters=dead_letters,
            concurrency=concurrency,
            limit=limit,
            checkpoint=checkpoint,
            since=None if since is None else parse_time("since", since),
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
        _refuse(exc)
    raise typer.Exit(run(settings, dry_run=dry_run))


@app.command()
def demo() -> None:
    """Run everything on this machine: sample edits through both models into a mock EventGate, live.

    On a terminal it stays until Ctrl-C; otherwise it ends with a summary, and exits 0 only if nothing failed.
    """
    from cli.demo import run

    raise typer.Exit(run())


def _refuse(problem: Exception) -> NoReturn:
    """Say on stderr why nothing was done, and exit."""
    typer.echo(f"revertrisk: {problem}", err=True)
    raise typer.Exit(EXIT_UNUSABLE)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
