"""``revertrisk lake run``, ``lake bots`` and ``revertrisk sql``: fill the lake, set its list of bots, and query it."""

# ruff: noqa: PLC0415 - the lake's libraries are imported when one of its commands runs

import importlib.util
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from revertrisk.cli import dispatcher_flags as flags

EXIT_CONFIGURATION = 78

app = typer.Typer(
    no_args_is_help=True,
    help="Fill and maintain the lake, a store of predictions and of what happened to the edits.",
)

Lake = Annotated[
    str,
    typer.Option(
        "--lake", metavar="DIR", envvar="LAKE_DIR", help="The lake: a folder, or s3://BUCKET/PREFIX."
    ),
]
KeyFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        envvar="LAKE_KEY_FILE",
        help="The file with the lake's key, outside the lake. Default: in $XDG_DATA_HOME/revertrisk/lake-keys.",
    ),
]


@app.command("run")
def run_lake(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    source: Annotated[
        list[str],
        typer.Option(
            help="A source of events; repeatable: jsonl:FILE, jsonl:-, kafka:TOPIC[,TOPIC], "
            "eventstreams:STREAM[,STREAM] or eventstreams:URL."
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            metavar="DIR",
            envvar="LAKE_DIR",
            help="The lake: a folder, or s3://BUCKET/PREFIX. It is created if it does not exist.",
        ),
    ],
    key_file: KeyFile = None,
    from_beginning: Annotated[
        bool,
        typer.Option(
            "--from-beginning",
            help="Read each source from its oldest event; Kafka: only if the group has not read it yet. "
            "Without it a stream that was not read yet begins with its new events.",
        ),
    ] = False,
    wiki: Annotated[list[str], typer.Option(help="Write only events of this wiki; repeatable.")] = [],  # noqa: B006
    datacentre: flags.Datacentres = [],  # noqa: B006 - Typer reads it
    group: Annotated[
        str,
        typer.Option(help="Kafka: the consumer group; writers of one group share the partitions."),
    ] = "revertrisk-lake",
    kafka_setting: flags.KafkaSettings = [],  # noqa: B006 - Typer reads it
    to_end: Annotated[
        bool, typer.Option("--to-end", help="Kafka: stop when every partition has been read to its end.")
    ] = False,
    batch_seconds: Annotated[
        float, typer.Option(min=0.1, help="The longest time that an event waits to be written.")
    ] = 60.0,
    actor_key_days: Annotated[
        int,
        typer.Option(
            min=1, max=36_500, envvar="ACTOR_KEY_DAYS", help="Remove the actor keys of older edits."
        ),
    ] = 90,
    keep_files_hours: Annotated[
        int,
        typer.Option(
            min=1,
            max=87_600,
            envvar="KEEP_FILES_HOURS",
            help="Hours to keep replaced files, for running queries.",
        ),
    ] = 6,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, help="Serve Prometheus metrics on this port; 0 chooses a free one.")
    ] = None,
) -> None:
    """Write predictions and page_change events into the lake.

    Name all sources in one run: the prediction streams, mediawiki.page_change.v1 and
    mediawiki.revision-visibility-change. It stops when all sources have ended, or on SIGTERM or Ctrl-C. The next run
    continues from there.

    Exit status: 0 done, 1 a source or the lake failed, 2 a flag cannot be used, 78 the lake or its key cannot be used.

    revertrisk lake run --source jsonl:events.jsonl --to lake
    """
    need_engines()
    from revertrisk.lake.run import RunSettings, run
    from revertrisk.streams.opening import SourceSettings
    from revertrisk.wiki.table import WikiTable

    log_to_stderr()
    wikis = WikiTable.load()
    for each in wiki:
        if wikis.by_id(each) is None:  # otherwise all events would count as read, and none would be written
            flags.refuse(ValueError(f"wiki: expected the id of a wiki, such as enwiki, not {each!r}"))
    opening = SourceSettings(
        from_beginning=from_beginning,
        kafka=tuple(kafka_setting),
        group=group,
        datacentres=tuple(datacentre),
        to_end=to_end,
    )
    settings = RunSettings(
        sources=tuple(source),
        to=to,
        key_file=key_file,
        wikis=frozenset(wiki) or None,
        opening=opening,
        batch_s=batch_seconds,
        actor_key_days=actor_key_days,
        grace=timedelta(hours=keep_files_hours),
        metrics_port=metrics_port,
    )
    raise typer.Exit(run(settings))


@app.command()
def bots(
    lake: Lake,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The list, in YAML; default: the list of the program."),
    ] = None,
    key_file: KeyFile = None,
) -> None:
    """Replace the lake's list of anti-vandalism bots.

    A new lake has the program's own list. Queries join rows to the list, so a bot that is listed later is also named
    in older rows that still have an actor key (ACTOR_KEY_DAYS). Listed bots keep their keys. So list the bots of an
    old export before you read it; the command creates the lake if there is none. docs/lake.md describes the file.

    Exit status: 0 done, 1 the lake is damaged, 2 the list cannot be used, 78 the lake or its key cannot be used.

    revertrisk lake bots bots.yaml --lake lake
    """
    need_engines()
    from revertrisk.lake.bots import read_bots, reverts_of_bots, shipped_bots, write_bots
    from revertrisk.lake.errors import LakeError
    from revertrisk.lake.open_or_create import make_lake

    log_to_stderr("WARNING")
    try:
        listed = shipped_bots() if file is None else read_bots(file)
        made = make_lake(lake, key_file)
        is_new = write_bots(made, listed)
        found, forgotten = reverts_of_bots(made)
    except LakeError as exc:
        end(exc, exc.exit_status)
    sys.stdout.write(f"{lake}: bots listed: {len(found)}{'' if is_new else ', unchanged'}\n")
    for each in found:
        days = f", {each.first} to {each.last}" if each.reverts else ""
        sys.stdout.write(f"  {each.bot}: reverts: {each.reverts:,}{days}\n")
    if forgotten is not None:
        sys.stdout.write(
            f"Actor keys up to {forgotten} are removed: a bot that was not listed before is not named in these rows.\n"
        )


def sql(
    lake: Lake,
    query: Annotated[
        str | None, typer.Argument(metavar="[QUERY]", help="The query in SQL; - reads standard input.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", exists=True, dir_okay=False, help="A file with the query.")
    ] = None,
    output_format: Annotated[
        Literal["table", "csv", "json", "parquet"],
        typer.Option("--format", help="The format of the result; json is a list of objects."),
    ] = "table",
) -> None:
    """Run an SQL query on the tables and views of the lake.

    The result goes to standard output. docs/lake.md describes the tables and views, and has example queries.

    Exit status: 0 done, 1 the lake is damaged, 2 the query or a flag cannot be used, 78 there is no lake.

    revertrisk sql --lake lake 'SELECT wiki_id, count(*) FROM prediction GROUP BY wiki_id'
    """
    need_engines()
    from revertrisk.lake.answers import answer
    from revertrisk.lake.errors import LakeError

    if (query is None) == (file is None):
        flags.refuse(ValueError("give either a query or --file"))
    log_to_stderr("WARNING")
    try:
        answer(lake, _query_of(query or "", file), output_format, sys.stdout.buffer)
    except LakeError as exc:
        end(exc, exc.exit_status)


def _query_of(query: str, file: Path | None) -> str:
    """Return the query of an argument, a file, or standard input."""
    if file is None and query != "-":
        return query
    written = file.read_bytes() if file is not None else sys.stdin.buffer.read()
    try:
        return written.decode()
    except UnicodeDecodeError as exc:
        flags.refuse(ValueError(f"the query is not UTF-8 at byte {exc.start:,}"))


def need_engines() -> None:
    """End with an error and status 78 if the extra ``lake`` is not installed."""
    if any(importlib.util.find_spec(name) is None for name in ("deltalake", "duckdb")):
        end(ValueError("the lake needs the extra: pip install 'revertrisk-events[lake]'"), EXIT_CONFIGURATION)


def log_to_stderr(level: str = "INFO") -> None:
    """Log to standard error, configured by the environment; end with status 78 if that is invalid."""
    from revertrisk.runtime.logs import configure_logging_from_environment

    try:
        configure_logging_from_environment(level, sys.stderr)
    except ValueError as exc:
        end(exc, EXIT_CONFIGURATION)


def end(problem: Exception, status: int) -> NoReturn:
    """Print a problem to standard error and end with this exit status."""
    typer.echo(f"revertrisk: {problem}", err=True)
    raise typer.Exit(status)
