"""``revertrisk dashboard``: serves a page with the edits to look at now, and charts."""

# ruff: noqa: PLC0415 - the lake's engines are an extra, imported when the command runs

from pathlib import Path
from typing import Annotated

import typer

from revertrisk.cli import dispatcher_flags as flags
from revertrisk.cli.lake import need_engines


def dashboard(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    source: Annotated[
        list[str],
        typer.Option(
            help="A source of events, repeatable: jsonl:FILE, jsonl:-, kafka:TOPIC[,TOPIC], "
            "eventstreams:STREAM[,STREAM] or eventstreams:URL."
        ),
    ],
    lake: Annotated[
        str | None,
        typer.Option(metavar="DIR", envvar="LAKE_DIR", help="The lake for the charts. Default: no charts."),
    ] = None,
    surges: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="SURGE_STATE",
            help="The --state file of `revertrisk surge run`: shows surges.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8194,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Edits with a higher risk are listed.")
    ] = 0.5,
    thresholds: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="A file with thresholds by wiki and model version, from `revertrisk thresholds --json`. "
            "--threshold is used for all others.",
        ),
    ] = None,
    hours: Annotated[
        float,
        typer.Option(
            min=0.1,
            max=24 * 366,
            help="For how many hours an edit is listed; at the start the streams are read from that far back.",
        ),
    ] = 24.0,
    silent_after: Annotated[
        float,
        typer.Option(
            min=1,
            metavar="SECONDS",
            help="The time without events after which the page says that none arrive.",
        ),
    ] = 120.0,
    explain_by: Annotated[
        list[str],
        typer.Option(metavar="MODEL=URL", help="The server that explains a model's scores; repeatable."),
    ] = [],  # noqa: B006 - Typer reads it
    diff_base: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="A mock MediaWiki; links go to its diff pages. Default: each wiki's own."
        ),
    ] = None,
    messages: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="A translation: some or all messages of revertrisk/page_parts/messages.json.",
        ),
    ] = None,
    wikis_file: Annotated[
        Path | None,
        typer.Option(
            envvar="WIKIS_FILE",
            exists=True,
            dir_okay=False,
            help="A wiki table that replaces the shipped one.",
        ),
    ] = None,
    datacentre: flags.Datacentres = [],  # noqa: B006 - Typer reads it
    kafka_setting: flags.KafkaSettings = [],  # noqa: B006 - Typer reads it
) -> None:
    """Serve a page with the edits that somebody should look at now, and charts of the lake.

    It needs the prediction streams, mediawiki.page_change.v1 and mediawiki.revision-visibility-change.

    There is no log-in. It answers requests from this machine and from services of its own network: for other users,
    put a proxy with authentication in front. User names and IP addresses are not shown.

    Exit status: 0 ended by a signal, 1 a source failed, 2 a flag cannot be used, 78 the lake or the surges file cannot
    be used.

    revertrisk dashboard --source eventstreams:mediawiki.page_change.v1,… --lake lake
    """
    need_engines()
    from revertrisk.dashboard.app import DashboardSettings, run
    from revertrisk.dashboard.thresholds import Thresholds, read_thresholds
    from revertrisk.page_parts.reasons import read_explain_by

    flags.log_as_the_environment_says("WARNING")
    try:
        settings = DashboardSettings(
            sources=tuple(source),
            lake=lake,
            surges=surges,
            host=host,
            port=port,
            thresholds=Thresholds(threshold)
            if thresholds is None
            else read_thresholds(thresholds, threshold),
            hours=hours,
            silent_after=silent_after,
            explain_by=read_explain_by(explain_by),
            diff_base=diff_base,
            messages=messages,
            wikis_file=wikis_file,
            kafka=tuple(kafka_setting),
            datacentres=tuple(datacentre),
        )
        status = run(settings)
    except (ValueError, OSError) as exc:
        flags.refuse_to_listen(exc, host, port)
    raise typer.Exit(status)
