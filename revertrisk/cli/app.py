"""The ``revertrisk`` command. A subcommand imports its program when it runs: torch and KServe are large imports."""

# ruff: noqa: PLC0415 - see above

import io
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import typer

from revertrisk.cli import models
from revertrisk.cli.backfill import backfill
from revertrisk.cli.dashboard import dashboard
from revertrisk.cli.dispatch import dispatch
from revertrisk.cli.dispatcher_flags import EXIT_INCOMPLETE, complain, refuse, refuse_to_listen
from revertrisk.cli.lake import app as lake_app
from revertrisk.cli.lake import sql
from revertrisk.cli.lake_upkeep import check, erase, prune
from revertrisk.cli.redrive import reconcile, redrive
from revertrisk.cli.reports import bots, outcomes
from revertrisk.cli.surge import app as surge_app
from revertrisk.cli.whatif import whatif
from revertrisk.runtime.metrics_folder import metrics_folder_problem

app = typer.Typer(
    name="revertrisk", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
app.add_typer(models.app)
app.command()(dispatch)
app.command()(redrive)
app.command()(reconcile)
app.command()(backfill)
app.command()(sql)
app.command()(dashboard)
app.command()(outcomes)
app.command()(bots)
app.command()(whatif)
lake_app.command()(check)
lake_app.command()(erase)
lake_app.command()(prune)
app.add_typer(lake_app, name="lake")
app.add_typer(surge_app, name="surge")

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Dump = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="A MediaWiki XML export, plain or compressed. Default: the sample pages.",
    ),
]
WikiId = Annotated[
    str | None,
    typer.Option(help="The wiki id for an export of a wiki that is not in the wiki table."),
]


def _show_version(*, is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"revertrisk-events {version('revertrisk-events')}")
        raise typer.Exit


@app.callback()
def revertrisk(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """Score wiki edits for revert risk, and publish each prediction through EventGate."""
    if context.invoked_subcommand != "serve":  # it exits with its own status in this case
        problem = metrics_folder_problem()
        if problem is not None:
            refuse(ValueError(problem))


@app.command()
def serve(
    http_host: Annotated[str | None, typer.Option(help="Address to listen on (env: HTTP_HOST).")] = None,
    http_port: Annotated[
        int | None, typer.Option(help="HTTP port, 0 for a free one (env: HTTP_PORT).")
    ] = None,
    grpc_port: Annotated[
        int | None, typer.Option(help="gRPC port, 0 for a free one (env: GRPC_PORT).")
    ] = None,
) -> None:
    """Run the KServe model server; every other setting comes from the environment."""
    from model_server.__main__ import main as run_server

    flags = {"http_host": http_host, "http_port": http_port, "grpc_port": grpc_port}
    raise typer.Exit(run_server(**{name: value for name, value in flags.items() if value is not None}))


@app.command()
def mock_eventgate(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8192,
    stream_config: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="The stream configuration, YAML or JSON. Default: our streams."
        ),
    ] = None,
    max_body: Annotated[int, typer.Option(help="The largest request body that is accepted, in bytes.")] = 100
    * 1024,
    event_ids: Annotated[
        Literal["offset", "timestamp"],
        typer.Option(help="How a client of /v2/stream resumes: by offset or by timestamp."),
    ] = "offset",
    max_stream_seconds: Annotated[
        float | None, typer.Option(help="End each /v2/stream response after this many seconds.")
    ] = None,
    diff_base: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A mock MediaWiki; the live page links to its diff pages."),
    ] = None,
    explain_by: Annotated[
        list[str],
        typer.Option(
            metavar="MODEL=URL",
            help="The server that explains a model's scores on the live page; repeatable.",
        ),
    ] = [],  # noqa: B006 - Typer reads it
) -> None:
    """Run a mock EventGate: it validates events like the real one, and has a page with accepted and refused events."""
    from mock_eventgate.app import Options, run
    from revertrisk.page_parts.reasons import read_explain_by

    try:
        options = Options(
            stream_config=stream_config,
            max_body=max_body,
            event_ids=event_ids,
            max_stream_seconds=max_stream_seconds,
            diff_base=diff_base,
            explain_by=read_explain_by(explain_by),
        )
        run(host, port, options)
    except (ValueError, OSError) as exc:
        refuse_to_listen(exc, host, port)


@app.command()
def mock_mediawiki(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8193,
    dump: Dump = None,
    wiki_id: WikiId = None,
) -> None:
    """Run a mock MediaWiki: the Action API of sample pages in many languages, or of an export."""
    from mock_mediawiki.app import run

    try:
        run(host, port, dump, wiki_id)
    except (ValueError, OSError) as exc:
        refuse_to_listen(exc, host, port)


@app.command()
def page_changes(
    dump: Dump = None,
    wiki_id: WikiId = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after this many events.")] = None,
) -> None:
    """Write the page_change events of the sample pages, or of an export, as JSON lines, oldest first."""
    from mock_mediawiki.app import open_history, wikis_of
    from mock_mediawiki.page_changes import write_page_changes
    from revertrisk.wiki.exports.reader import ExportError

    try:
        wikis = wikis_of(dump, wiki_id)
        with open_history(dump, wikis, wiki_id) as history:
            write_page_changes(history, wikis, sys.stdout.buffer, limit)
    except (ExportError, OSError) as exc:
        refuse(exc)


@app.command()
def demo(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    chaos: Annotated[
        bool, typer.Option("--chaos", help="Let MediaWiki and EventGate fail on purpose, to see retries.")
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, help="With --chaos: the seed that selects the requests that fail.")
    ] = 7,
    live: Annotated[bool, typer.Option("--live", help="Score current edits of Wikipedia.")] = False,
    contact: Annotated[
        str | None, typer.Option(metavar="MAIL", help="With --live: your mail address, for the User-Agent.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="With --live: end after this many edits.")] = None,
    wiki_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="With --live: the base address of a MediaWiki. Default: each wiki's own host."
        ),
    ] = None,
    stream_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="With --live: the address of a page_change stream. Default: Wikimedia's."
        ),
    ] = None,
) -> None:
    """Run all programs on this machine: edits are scored by both models and sent to a mock EventGate.

    The edits are samples, or with --live current ones. On a terminal it runs until Ctrl-C; otherwise it ends with a
    summary. Exit status: 0 only if every expected prediction is on the stream and the lake could be filled.
    """
    from revertrisk.cli.demo.live import Live, LiveError
    from revertrisk.cli.demo.play import run

    if chaos and live:
        refuse(LiveError("--live: cannot be used with --chaos, whose faults are set on the mocks"))
    of_live = {"--contact": contact, "--limit": limit, "--wiki-url": wiki_url, "--stream-url": stream_url}
    for flag, value in of_live.items():
        if value is not None and not live:
            refuse(LiveError(f"{flag}: only with --live"))
    if not live:
        raise typer.Exit(run(chaos_seed=seed if chaos else None))
    try:
        settings = Live(contact=contact or "", limit=limit, wiki_url=wiki_url, stream_url=stream_url)
    except LiveError as exc:
        refuse(exc)
    raise typer.Exit(run(live=settings))


def main() -> None:
    """Run the command line; an OSError or Ctrl-C ends it without a traceback."""
    # Python sets a stream to None if its descriptor is closed. The next opened file would get that descriptor.
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - until the end
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # for titles that the terminal's encoding does not have
    try:
        _require_utf_8(sys.argv)
        app()
    except OSError as exc:
        sys.exit(complain(exc))
    except RuntimeError as exc:
        if str(exc) != "Query interrupted":  # what DuckDB makes of Ctrl-C
            raise
        sys.exit(128 + signal.SIGINT)
    finally:
        _flush()


def _require_utf_8(arguments: list[str]) -> None:
    """Exit with an error if an argument is not UTF-8: Python has surrogates for its bytes, which nothing can write."""
    for number, argument in enumerate(arguments[1:], 1):
        try:
            argument.encode()
        except UnicodeEncodeError:
            sys.exit(complain(ValueError(f"argument {number} is not UTF-8")))


def _flush() -> None:
    """Flush standard output; if its reader is gone, exit without the interpreter's own message."""
    try:
        sys.stdout.flush()
    except OSError as exc:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_INCOMPLETE if isinstance(exc, BrokenPipeError) else complain(exc))


if __name__ == "__main__":
    main()
