"""``revertrisk surge``: alerts for surges and silence, and what they would have been."""

# ruff: noqa: PLC0415 - numpy and the ways out are imported when a command of it runs

import asyncio
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from revertrisk.cli import dispatcher_flags as flags

if TYPE_CHECKING:
    from revertrisk.alerts.settings import WatchSettings
    from revertrisk.alerts.ways import Way

EXIT_CONFIGURATION = 78

app = typer.Typer(
    no_args_is_help=True,
    help="Tell when a wiki is edited unusually fast, or not at all: alerts with a budget.",
)

Sources = Annotated[
    list[str],
    typer.Option(
        help="Where events come from; repeatable: jsonl:FILE, jsonl:-, kafka:TOPIC[,TOPIC], "
        "eventstreams:STREAM[,STREAM] or eventstreams:URL."
    ),
]
Wikis = Annotated[
    list[str],
    typer.Option(
        help="Watch this wiki; repeatable. Default: all, and those with few edits together as one group."
    ),
]
Budget = Annotated[
    float,
    typer.Option(
        metavar="DAYS",
        envvar="SURGE_BUDGET_DAYS",
        help="One false start in so many days, over everything that is watched.",
    ),
]
Threshold = Annotated[
    list[str],
    typer.Option(
        metavar="[WIKI=]PROBABILITY",
        help="A prediction above it is high-risk; WIKI= for a wiki of its own; repeatable. Default: 0.87.",
    ),
]
Model = Annotated[
    str,
    typer.Option(envvar="SURGE_MODEL", help="Whose predictions are watched."),
]
SlackWebhook = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="SLACK_WEBHOOK_URL",
        help="A Slack webhook. It is a secret: rather give it in the environment.",
    ),
]
Webhooks = Annotated[
    list[str],
    typer.Option(
        metavar="URL",
        envvar="SURGE_WEBHOOK_URL",
        help="A webhook that takes each message as JSON; repeatable.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Write each message as a JSON document to standard output.")
]
ToEnd = Annotated[
    bool, typer.Option("--to-end", help="Kafka: end where every partition has been read to its end.")
]


@app.command("run")
def run_watch(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    source: Sources,
    wiki: Wikis = [],  # noqa: B006 - Typer reads it
    state: Annotated[
        str,
        typer.Option(
            metavar="FILE", envvar="SURGE_STATE", help="What the watch knows; it is made where there is none."
        ),
    ] = "revertrisk-surge.sqlite",
    budget_days: Budget = 14.0,
    threshold: Threshold = [],  # noqa: B006 - Typer reads it
    model: Model = "revertrisk-language-agnostic",
    slack_webhook: SlackWebhook = None,
    webhook: Webhooks = [],  # noqa: B006 - Typer reads it
    as_json: Json = False,
    datacentre: flags.Datacentres = [],  # noqa: B006 - Typer reads it
    kafka_setting: flags.KafkaSettings = [],  # noqa: B006 - Typer reads it
    to_end: ToEnd = False,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, help="Serve Prometheus metrics on this port; 0 takes a free one.")
    ] = None,
) -> None:
    """Watch streams, and send one message at the start and one at the end of each surge or silence.

    It first reads what the source still has, and tells nothing of it. Messages are marked provisional for four weeks.
    Give it mediawiki.page_change.v1, and a prediction stream for the high-risk edits.
    Messages go to the webhooks that are given, or to standard output. Ends on SIGTERM or Ctrl-C; the next run
    continues where this one was.

    Exit status: 0 done, 1 a source or the state broke, 2 a flag cannot be used, 78 the state or a webhook does not fit.

    SLACK_WEBHOOK_URL=https://… revertrisk surge run --wiki enwiki --source eventstreams:mediawiki.page_change.v1
    """
    _need_extra()
    from revertrisk.alerts.errors import AlertsError
    from revertrisk.alerts.run import RunSettings, run
    from revertrisk.alerts.ways import make_ways
    from revertrisk.streams.opening import SourceSettings

    _log()
    try:
        ways = make_ways(slack_webhook, webhook, as_json=as_json)
    except AlertsError as exc:
        _end(exc, exc.exit_status)
    settings = RunSettings(
        sources=tuple(source),
        state=state,
        watch=_watched(wiki, budget_days, threshold, model, ways),
        opening=SourceSettings(kafka=tuple(kafka_setting), datacentres=tuple(datacentre), to_end=to_end),
        metrics_port=metrics_port,
    )
    raise typer.Exit(run(settings, ways))


@app.command()
def replay(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    source: Sources,
    wiki: Wikis = [],  # noqa: B006 - Typer reads it
    budget_days: Budget = 14.0,
    threshold: Threshold = [],  # noqa: B006 - Typer reads it
    model: Model = "revertrisk-language-agnostic",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
    datacentre: flags.Datacentres = [],  # noqa: B006 - Typer reads it
    kafka_setting: flags.KafkaSettings = [],  # noqa: B006 - Typer reads it
) -> None:
    """List the surges and silences that a watch of a source would have found: start, end, peak ratio, excess.

    Nothing is sent and nothing is kept. The first day of the source is needed to learn what is usual.
    Of Kafka, what is there now is read; EventStreams has no end, so write it to a file first.

    Exit status: 0 done, 1 the source broke, 2 a flag cannot be used.

    revertrisk surge replay --source jsonl:events.jsonl --json
    """
    _need_extra()
    from revertrisk.alerts.replay import replay as replay_source
    from revertrisk.streams.opening import SourceSettings

    _log("WARNING")
    opening = SourceSettings(kafka=tuple(kafka_setting), datacentres=tuple(datacentre), to_end=True)
    watched = _watched(wiki, budget_days, threshold, model, [])
    raise typer.Exit(replay_source(tuple(source), watched, opening, as_json=as_json))


@app.command()
def fit(
    lake: Annotated[str, typer.Option("--lake", metavar="DIR", envvar="LAKE_DIR", help="The lake's folder.")],
    report: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the report and its plots go; it is made.")
    ] = Path("surge-report"),
    wiki: Wikis = [],  # noqa: B006 - Typer reads it
    budget_days: Budget = 14.0,
) -> None:
    """Fit what is usual on each wiki of a lake: how counts vary, what the budget means, and how soon surges are found.

    Exit status: 0 done, 1 the lake has no wiki with enough edits, 2 a flag cannot be used, 78 there is no lake.

    revertrisk surge fit --lake lake --report surge-report
    """
    _need_extra()
    if any(importlib.util.find_spec(name) is None for name in ("duckdb", "deltalake", "matplotlib")):
        _end(
            ValueError("surge fit needs the extras: pip install 'revertrisk-events[alerts,reports]'"),
            EXIT_CONFIGURATION,
        )
    from revertrisk.alerts.report import fit_lake

    _log("WARNING")
    watched = _watched(wiki, budget_days, [], "revertrisk-language-agnostic", [])
    raise typer.Exit(fit_lake(lake, report, watched))


@app.command("test-message")
def send_test(
    slack_webhook: SlackWebhook = None,
    webhook: Webhooks = [],  # noqa: B006 - Typer reads it
    as_json: Json = False,
) -> None:
    """Send one start and one end, marked as a test, the ways that a watch would send them.

    Exit status: 0 both were taken, 1 a webhook did not take them, 78 an address does not fit.

    SLACK_WEBHOOK_URL=https://… revertrisk surge test-message
    """
    _need_extra()
    from revertrisk.alerts.errors import AlertsError
    from revertrisk.alerts.try_out import send_test_messages
    from revertrisk.alerts.ways import make_ways

    _log("WARNING")
    try:
        ways = make_ways(slack_webhook, webhook, as_json=as_json)
    except AlertsError as exc:
        _end(exc, exc.exit_status)
    raise typer.Exit(asyncio.run(send_test_messages(ways)))


def _watched(
    wiki: list[str], budget_days: float, threshold: list[str], model: str, ways: "list[Way]"
) -> "WatchSettings":
    from revertrisk.alerts.settings import DEFAULT_THRESHOLD, WatchSettings
    from revertrisk.wiki.table import WikiTable

    limits: dict[str, float] = {}
    for written in threshold:
        name, _, number = written.rpartition("=")
        try:
            limits[name] = float(number)
        except ValueError:
            limits[name] = -1.0
        if not 0 <= limits[name] <= 1:
            flags.refuse(
                ValueError(f"threshold: expected a probability, or WIKI=PROBABILITY, not {written!r}")
            )
    wikis = WikiTable.load()
    for flag, names in (("wiki", wiki), ("threshold", limits)):
        for each in names:
            if each and wikis.by_id(each) is None:  # it would watch nothing, for ever
                flags.refuse(ValueError(f"{flag}: expected the id of a wiki, such as enwiki, not {each!r}"))
    try:
        return WatchSettings(
            wikis=frozenset(wiki) or None,
            budget_days=budget_days,
            threshold=limits.pop("", DEFAULT_THRESHOLD),
            thresholds=limits,
            model_name=model,
            ways=tuple(way.name for way in ways),
        )
    except ValueError as exc:
        flags.refuse(exc)


def _need_extra() -> None:
    if any(importlib.util.find_spec(name) is None for name in ("numpy", "scipy", "slack_sdk")):
        _end(ValueError("alerts need the extra: pip install 'revertrisk-events[alerts]'"), EXIT_CONFIGURATION)


def _log(level: str = "INFO") -> None:
    from revertrisk.runtime.logs import configure_logging_from_environment

    try:
        configure_logging_from_environment(level, sys.stderr)
    except ValueError as exc:
        _end(exc, EXIT_CONFIGURATION)


def _end(problem: Exception, status: int) -> NoReturn:
    typer.echo(f"revertrisk: {problem}", err=True)
    raise typer.Exit(status)
