"""``revertrisk dashboard``: a page with the edits to look at now, and charts."""

# ruff: noqa: PLC0415 - the page and the lake's engines are imported when the command runs

from pathlib import Path
from typing import Annotated

import typer

from revertrisk.cli import dispatcher_flags as flags
from revertrisk.cli.lake import need_engines


def dashboard(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    source: Annotated[
        list[str],
        typer.Option(
            help="Where events come from; repeatable: jsonl:FILE, jsonl:-, kafka:TOPIC[,TOPIC], "
            "eventstreams:STREAM[,STREAM] or eventstreams:URL."
        ),
    ],
    lake: Annotated[
        str | None,
        typer.Option(metavar="DIR", envvar="LAKE_DIR", help="The lake that the charts are made from."),
    ] = None,
    surges: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", envvar="SURGE_STATE", help="What `revertrisk surge run` knows: its --state."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8194,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="An edit is to be looked at where its risk is higher.")
    ] = 0.5,
    thresholds: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Thresholds of wikis and model versions, as `revertrisk thresholds --json` writes them; "
            "--threshold is for the others.",
        ),
    ] = None,
    hours: Annotated[
        float, typer.Option(min=0.1, help="How far back edits are to be looked at, and streams are read.")
    ] = 24.0,
    explain_by: Annotated[
        list[str],
        typer.Option(
            metavar="MODEL=URL", help="A model's server that the page asks for reasons; repeatable."
        ),
    ] = [],  # noqa: B006 - Typer reads it
    diff_base: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A mock MediaWiki whose diff pages stand for the wikis' own."),
    ] = None,
    messages: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="A translation of the page's words: some or all messages of revertrisk/page_parts/messages.json.",
        ),
    ] = None,
    wikis_file: Annotated[
        Path | None,
        typer.Option(
            envvar="WIKIS_FILE", exists=True, dir_okay=False, help="Another wiki table than the shipped one."
        ),
    ] = None,
    datacentre: flags.Datacentres = [],  # noqa: B006 - Typer reads it
    kafka_setting: flags.KafkaSettings = [],  # noqa: B006 - Typer reads it
) -> None:
    """Serve a page: which edits somebody should look at now, and charts of the lake.

    Give it the prediction streams, mediawiki.page_change.v1 and mediawiki.revision-visibility-change together.

    It has no log-in and answers to this machine and to services of its own network: put it behind something that
    asks who is there. No user name and no address is shown.

    Exit status: 0 ended by a signal, 1 a source broke, 2 a flag cannot be used, 78 the lake does not fit.

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
