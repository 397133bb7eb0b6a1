"""``revertrisk surge``: alerts for surges and silence, and the alerts that there would have been."""

# ruff: noqa: PLC0415 - numpy and the receivers are imported when a command runs

import asyncio
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from revertrisk.cli import dispatcher_flags as flags

if TYPE_CHECKING:
    from revertrisk.alerts.receivers import Receiver
    from revertrisk.alerts.settings import WatchSettings

EXIT_CONFIGURATION = 78

app = typer.Typer(
    no_args_is_help=True,
    help="Send an alert if a wiki has unusually many edits, or none, with a budget of false alarms.",
)

Sources = Annotated[
    list[str],
    typer.Option(
        help="A source of events; repeatable: jsonl:FILE, jsonl:-, kafka:TOPIC[,TOPIC], "
        "eventstreams:STREAM[,STREAM] or eventstreams:URL."
    ),
]
Wikis = Annotated[
    list[str],
    typer.Option(
        help="Watch this wiki; repeatable. Default: all wikis; those with few edits are watched as one group."
    ),
]
Budget = Annotated[
    float,
    typer.Option(
        metavar="DAYS",
        envvar="SURGE_BUDGET_DAYS",
        help="The budget: one false start in this number of days, over everything that is watched.",
    ),
]
Threshold = Annotated[
    list[str],
    typer.Option(
        metavar="[WIKI=]PROBABILITY",
        help="A prediction with a higher probability is high-risk; WIKI= sets it for one wiki; repeatable. "
        "Default: 0.87.",
    ),
]
Model = Annotated[
    str,
    typer.Option(envvar="SURGE_MODEL", help="The model whose predictions are watched."),
]
SlackWebhook = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="SLACK_WEBHOOK_URL",
        help="The address of a Slack webhook. It is a secret, so set it in the environment.",
    ),
]
Webhooks = Annotated[
    list[str],
    typer.Option(
        metavar="URL",
        envvar="SURGE_WEBHOOK_URL",
        help="The address of a webhook that accepts each message as JSON; repeatable.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Write each message as a JSON document to standard output.")
]
ToEnd = Annotated[
    bool, typer.Option("--to-end", help="Kafka: end when all partitions have been read to their ends.")
]


@app.command("run")
def run_watch(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    source: Sources,
    wiki: Wikis = [],  # noqa: B006 - Typer reads it
    state: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            envvar="SURGE_STATE",
            help="The state file of the watch; it is created if it is missing.",
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

    The sources are mediawiki.page_change.v1, and a prediction stream for the alerts on high-risk edits.
    The first run reads the sources from their oldest events, and sends no messages about the past. Messages about
    surges are marked provisional for four weeks. They go to the webhooks, or to standard output if there is none.
    The command ends on SIGTERM or Ctrl-C. The next run continues where this one ended. A wiki that is added then is
    watched from that moment on, and is provisional for its own four weeks.

    Exit status: 0 done, 1 a source or the state cannot be read, or a new file has no readable event, 2 a flag is
    invalid, 78 the state belongs to another program or the address of a webhook is invalid.

    SLACK_WEBHOOK_URL=https://… revertrisk surge run --wiki enwiki --source eventstreams:mediawiki.page_change.v1
    """
    _need_extra()
    from revertrisk.alerts.errors import AlertsError
    from revertrisk.alerts.receivers import make_receivers
    from revertrisk.alerts.run import RunSettings, run
    from revertrisk.streams.opening import SourceSettings

    _log()
    if not state:  # SQLite would open a file that ends with the program
        flags.refuse(ValueError("state: expected the path of a file"))
    try:
        receivers = make_receivers(slack_webhook, webhook, as_json=as_json)
    except AlertsError as exc:
        _end(exc, exc.exit_status)
    settings = RunSettings(
        sources=tuple(source),
        state=state,
        watch=_watched(wiki, budget_days, threshold, model, receivers),
        opening=SourceSettings(kafka=tuple(kafka_setting), datacentres=tuple(datacentre), to_end=to_end),
        metrics_port=metrics_port,
    )
    raise typer.Exit(run(settings, receivers))


@app.command()
def replay(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    source: Sources,
    wiki: Wikis = [],  # noqa: B006 - Typer reads it
    budget_days: Budget = 14.0,
    threshold: Threshold = [],  # noqa: B006 - Typer reads it
    model: Model = "revertrisk-language-agnostic",
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON document per line.")] = False,
    datacentre: flags.Datacentres = [],  # noqa: B006 - Typer reads it
    kafka_setting: flags.KafkaSettings = [],  # noqa: B006 - Typer reads it
) -> None:
    """List the surges and silences that a watch would have found in the sources: start, end, peak ratio, excess.

    It sends no messages and stores nothing. The first day of the sources is needed for the baseline.
    Kafka topics are read to their current ends. EventStreams has no end: write its events to a file first.

    Exit status: 0 done, 1 a source cannot be read, or a file has no readable event, 2 a flag is invalid.

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
    lake: Annotated[
        str, typer.Option("--lake", metavar="DIR", envvar="LAKE_DIR", help="The folder of the lake.")
    ],
    report: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder for the report and its plots; it is created.")
    ] = Path("surge-report"),
    wiki: Wikis = [],  # noqa: B006 - Typer reads it
    budget_days: Budget = 14.0,
) -> None:
    """Write a report on the wikis of a lake: the dispersion of their edits, the thresholds, and the delays of alerts.

    Exit status: 0 done, 1 no wiki in the lake has enough edits, 2 a flag is invalid, 78 there is no lake.

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
    """Send one start and one end, marked as a test, to the receivers of a watch.

    Exit status: 0 both were delivered, 1 a webhook did not accept them, 78 an address is invalid.

    SLACK_WEBHOOK_URL=https://… revertrisk surge test-message
    """
    _need_extra()
    from revertrisk.alerts.errors import AlertsError
    from revertrisk.alerts.receivers import make_receivers
    from revertrisk.alerts.try_out import send_test_messages

    _log("WARNING")
    try:
        receivers = make_receivers(slack_webhook, webhook, as_json=as_json)
    except AlertsError as exc:
        _end(exc, exc.exit_status)
    raise typer.Exit(asyncio.run(send_test_messages(receivers)))


def _watched(
    wiki: list[str], budget_days: float, threshold: list[str], model: str, receivers: "list[Receiver]"
) -> "WatchSettings":
    from revertrisk.alerts.settings import DEFAULT_THRESHOLD, WatchSettings
    from revertrisk.wiki.table import WikiTable

    limits: dict[str, float] = {}
    for written in threshold:
        name, equals, number = written.rpartition("=")
        try:
            limits[name] = float(number)
        except ValueError:
            limits[name] = -1.0
        if not 0 <= limits[name] <= 1 or (equals and not name):  # "=0.5" has lost its wiki
            flags.refuse(
                ValueError(f"threshold: expected a probability, or WIKI=PROBABILITY, not {written!r}")
            )
    wikis = WikiTable.load()
    for flag, names in (("wiki", wiki), ("threshold", limits)):
        for each in names:
            if each and wikis.by_id(each) is None:  # it would never have an event
                flags.refuse(ValueError(f"{flag}: expected the id of a wiki, such as enwiki, not {each!r}"))
    try:
        return WatchSettings(
            wikis=frozenset(wiki) or None,
            budget_days=budget_days,
            threshold=limits.pop("", DEFAULT_THRESHOLD),
            thresholds=limits,
            model_name=model,
            receivers=tuple(receiver.name for receiver in receivers),
        )
    except ValueError as exc:
        flags.refuse(exc)


def _need_extra() -> None:
    if any(importlib.util.find_spec(name) is None for name in ("numpy", "scipy", "slack_sdk")):
        _end(ValueError("alerts need an extra: pip install 'revertrisk-events[alerts]'"), EXIT_CONFIGURATION)


def _log(level: str = "INFO") -> None:
    from revertrisk.runtime.logs import configure_logging_from_environment

    try:
        configure_logging_from_environment(level, sys.stderr)
    except ValueError as exc:
        _end(exc, EXIT_CONFIGURATION)


def _end(problem: Exception, status: int) -> NoReturn:
    typer.echo(f"revertrisk: {problem}", err=True)
    raise typer.Exit(status)
