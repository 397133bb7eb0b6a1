"""``revertrisk outcomes`` and ``revertrisk bots``: reports from the lake."""

# ruff: noqa: PLC0415 - database engines and statistics are imported only when a report is made

from typing import Annotated

import typer

from revertrisk.cli import dispatcher_flags as flags
from revertrisk.cli.lake import Lake
from revertrisk.cli.report_making import (
    AutomoderatorRules,
    Html,
    Json,
    Models,
    Since,
    Until,
    Wikis,
    models_of,
    period_of,
    prepare,
    reading,
    seconds_of,
    write,
)


def outcomes(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    lake: Lake,
    wiki: Wikis = [],  # noqa: B006 - Typer reads it
    model: Models = [],  # noqa: B006 - Typer reads it
    since: Since = None,
    until: Until = None,
    threshold: Annotated[
        list[float],
        typer.Option(
            min=0, max=1, help="An edit with a score above it is flagged; repeatable. Default: 0.65, 0.87."
        ),
    ] = [],  # noqa: B006 - Typer reads it
    horizon: Annotated[
        list[str],
        typer.Option(
            help="A revert counts within this time after the edit, in hours or days; repeatable. Default: 48h, 7d, 30d."
        ),
    ] = [],  # noqa: B006 - Typer reads it
    matured: Annotated[
        bool,
        typer.Option(
            "--matured",
            help="Include only edits older than the horizon, with the labels of training, as in `evaluate`.",
        ),
    ] = False,
    as_json: Json = False,
    html: Html = None,
    serve: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="PORT",
            help="Serve the main figures to Prometheus on this port instead, updated every 15 minutes.",
        ),
    ] = None,
) -> None:
    """Report the outcomes of predictions: reverted or not, by model version, wiki and kind of user.

    Each figure has its interval, its number of edits and its definition. Young edits count for the time since they were
    saved.

    Exit status: 0 done, 1 the lake is damaged, 2 a flag cannot be used, 78 there is no lake.

    revertrisk outcomes --lake lake --html outcomes.html
    """
    prepare(html, "WARNING" if serve is None else "INFO")
    from revertrisk.reports.gauges import serve as serve_gauges
    from revertrisk.reports.lake_edits import read_scored
    from revertrisk.reports.outcomes import HORIZONS, THRESHOLDS, Outcomes, ReportOptions
    from revertrisk.reports.outcomes import outcomes as make
    from revertrisk.reports.outcomes_document import outcomes_document, outcomes_json
    from revertrisk.runtime.metrics_port import MetricsPortError

    period = period_of(since, until)
    options = ReportOptions(
        tuple(sorted(set(threshold))) or THRESHOLDS,
        tuple(sorted({seconds_of("horizon", each) for each in horizon})) or HORIZONS,
        is_matured=matured,
    )

    def report() -> Outcomes:
        with reading(lake) as reader:
            return make(
                [read_scored(reader, each, period) for each in models_of(reader, wiki, model)], options
            )

    if serve is None:
        write(report(), outcomes_json, outcomes_document, as_json=as_json, html=html)
        return
    if as_json or html is not None:
        flags.refuse(ValueError("--serve: cannot be used with --json or --html"))
    try:
        serve_gauges(report, serve)
    except MetricsPortError as exc:
        flags.refuse(ValueError(f"--serve: {exc}"))


def bots(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    lake: Lake,
    wiki: Wikis = [],  # noqa: B006 - Typer reads it
    model: Annotated[str, typer.Option(help="The model to compare with.")] = "revertrisk-multilingual",
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="The model flags edits with a score above it.")
    ] = 0.87,
    window: Annotated[
        str, typer.Option(help="A revert counts within this time after the edit, in hours or days.")
    ] = "24h",
    since: Since = None,
    until: Until = None,
    automoderator_rules: AutomoderatorRules = False,
    as_json: Json = False,
    html: Html = None,
) -> None:
    """Compare the listed anti-vandalism bots with a model: reverts per day, and the overlap of both (T374698).

    The list of bots is made by `revertrisk lake bots`. A bot that is added to it also counts for days in the past.

    Exit status: 0 done, 1 the lake is damaged, 2 a flag cannot be used, 78 there is no lake.

    revertrisk bots --lake lake --since 2026-10-01 --until 2026-10-31
    """
    prepare(html)
    from revertrisk.reports.bot_rows import read_bots, read_days, read_overlap, read_reverted
    from revertrisk.reports.bots import bots as make
    from revertrisk.reports.bots_document import bots_document, bots_json

    period, window_s = period_of(since, until), seconds_of("window", window)
    with reading(lake) as reader:
        listed = read_bots(reader, wiki)
        if not listed:
            flags.refuse(
                ValueError("the lake lists no bots of these wikis: see `revertrisk lake bots --help`")
            )
        models_of(reader, [], [model])
        wikis = sorted({each.wiki_id for each in listed})
        days = read_days(reader, period)
        rows = read_reverted(reader, wikis, window_s, period)
        overlap = read_overlap(
            reader,
            wikis,
            model_name=model,
            threshold=threshold,
            window_s=window_s,
            period=period,
            automoderator_rules=automoderator_rules,
        )
    report = make(
        wikis,
        listed,
        rows,
        overlap,
        days,
        model_name=model,
        threshold=threshold,
        window_s=window_s,
        automoderator_rules=automoderator_rules,
    )
    write(report, bots_json, bots_document, as_json=as_json, html=html)
