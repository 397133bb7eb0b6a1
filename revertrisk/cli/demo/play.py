"""The demo: every program of the distribution on loopback, and edits going through them.

The edits are the sample pages' (with ``--chaos`` while both upstreams fail), or those that are being made on
Wikipedia now (``--live``).
"""

import asyncio
import logging
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from rich.console import Console

from mock_mediawiki.page_changes import write_page_changes
from mock_mediawiki.samples import SampleHistory
from revertrisk.cli.demo import lake
from revertrisk.cli.demo.chaos import EVENTGATE, MEDIAWIKI, RETRIES, SERVER_ENVIRONMENT, Storm
from revertrisk.cli.demo.live import Live, Sampled
from revertrisk.cli.demo.programs import MODELS, Starter
from revertrisk.cli.demo.screen import Screen
from revertrisk.cli.demo.tally import Arrival, Tally
from revertrisk.cli.programs import ProgramError, stop_children
from revertrisk.dispatcher.app import DispatchSettings, dispatch
from revertrisk.dispatcher.outcome import Ending, Outcome, Summary
from revertrisk.event_platform.streams import PREDICTION_STREAMS
from revertrisk.runtime.signals import on_signals
from revertrisk.wiki.relay import proxies_reach_wikis, wiki_relay
from revertrisk.wiki.table import WikiTable

POLL_S = 0.2
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
EVENTS_PER_POLL = 100

Summaries = Mapping[str, Summary]
Playing = Coroutine[Any, Any, int]


@dataclass(frozen=True, slots=True)
class Stage:
    """What is running, and where it is shown and reckoned up."""

    screen: Screen
    tally: Tally
    folder: Path
    gate: str
    targets: Mapping[str, str]
    """The address of each model's server."""
    dashboard: str | None = None
    """The address of the page with the edits to look at and the charts."""


def run(*, chaos_seed: int | None = None, live: Live | None = None) -> int:
    """Run the demo; return 0 only if every prediction that is due is on the stream.

    ``chaos_seed`` lets both upstreams fail while the sample edits go through; with ``live`` the edits are Wikipedia's.
    """
    console = Console()
    # Whoever ends the demo ends its programs with it.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(EXIT_TERMINATED))
    with ExitStack() as stack:
        stack.callback(stop_children)
        try:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="revertrisk-demo-")))
        except FileNotFoundError as exc:
            raise OSError(
                exc.errno, "no folder for temporary files can be written: let TMPDIR name one that can"
            ) from exc
        screen = Screen(console, [model.name for model in MODELS])
        starter = Starter(stack, folder, screen.say)
        try:
            if live is not None:
                playing = _live(starter, screen, folder, live)
            else:
                playing = _samples(starter, screen, folder, chaos_seed)
        except ProgramError as exc:
            console.print(f"[red]The demo could not start a program:[/red] {exc}", highlight=False)
            return 1
        try:
            return asyncio.run(playing)
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED


def _samples(starter: Starter, screen: Screen, folder: Path, chaos_seed: int | None) -> Playing:
    """Start everything, and return what sends the sample edits through it."""
    wiki = starter.mediawiki()
    gate = starter.eventgate(diff_base=wiki)
    environment = {"WIKI_URL": wiki} | ({} if chaos_seed is None else SERVER_ENVIRONMENT)
    targets = starter.servers(gate, environment)
    events = _write_sample_events(folder)
    storm = dashboard = None
    if chaos_seed is None and lake.has_engines():
        streams = ",".join(PREDICTION_STREAMS.values())
        sources = [f"jsonl:{events}", f"eventstreams:{gate}/v2/stream/{streams}"]
        dashboard = starter.dashboard(sources, targets, wiki, folder / lake.FOLDER)
    stage = Stage(screen, Tally(), folder, gate, targets, dashboard)
    if chaos_seed is not None:
        storm = Storm(chaos_seed, {MEDIAWIKI: wiki, EVENTGATE: gate}, screen.say_fault)
    return _play_samples(stage, events, storm)


def _live(starter: Starter, screen: Screen, folder: Path, live: Live) -> Playing:
    """Start the gate and the servers, and return what sends Wikipedia's edits through them."""
    gate = starter.eventgate()
    environment, wikis = live.server_environment, WikiTable.load()
    if live.wiki_url is None and proxies_reach_wikis(wikis):
        environment["WIKI_URL"] = starter.stack.enter_context(wiki_relay(wikis))
    targets = starter.servers(gate, environment)
    # A user who waits for edits that do not come must see why.
    logging.basicConfig(format="  %(message)s", stream=sys.stdout)
    logging.getLogger("revertrisk.streams").setLevel(logging.INFO)
    return _play_live(Stage(screen, Tally(), folder, gate, targets), live)


def _write_sample_events(folder: Path) -> Path:
    path = folder / "page_changes.jsonl"
    wikis = WikiTable.load()
    with path.open("wb") as out:
        write_page_changes(SampleHistory.shipped(wikis), wikis, out)
    return path


async def _play_samples(stage: Stage, events: Path, storm: Storm | None) -> int:
    """Dispatch the sample events to every model; on a terminal, stay until Ctrl-C."""

    async def of_model(name: str) -> Summary:
        return await dispatch(
            DispatchSettings(
                source=f"jsonl:{events}",
                rule_file=Path(str(files("revertrisk.dispatcher") / "rules" / f"{name}.yaml")),
                target=stage.targets[name],
                dead_letters=stage.folder / f"dead-letters-{name}.jsonl",
                retries=None if storm is None else RETRIES,
            ),
            on_outcome=lambda outcome: _note_outcome(stage, outcome, name),
        )

    async def to_all() -> Summaries:
        summaries = await asyncio.gather(*(of_model(model.name) for model in MODELS))
        return {model.name: summary for model, summary in zip(MODELS, summaries, strict=True)}

    status = await _play(stage, to_all, storm)
    if storm is None:
        status = max(status, await _ask_lake(stage, events))
    if sys.stdout.isatty():
        pages = [f"{stage.gate}/_mock/", *([f"{stage.dashboard}/"] if stage.dashboard is not None else [])]
        stage.screen.say(
            f"Everything is still running. Look at it live: {' and '.join(pages)} (Ctrl-C ends it)"
        )
        stop = asyncio.Event()
        with on_signals(stop.set):
            await stop.wait()
    return status


async def _ask_lake(stage: Stage, events: Path) -> int:
    """Put everything into a lake and ask it a question; return 1 if that failed."""
    if not lake.has_engines():
        stage.screen.say(lake.MISSING)
        return 0
    stage.screen.say(
        "\nAll of it goes into a lake. What became of the edits, by the risk that each model saw?"
    )
    try:
        root = await lake.fill_lake(stage.folder, events, stage.gate, stage.tally.arrived)
        stage.screen.show_answer(lake.QUESTION, *await asyncio.to_thread(lake.ask, root))
    except lake.errors() as exc:
        stage.screen.say(f"The lake could not be filled: {exc or 'not everything came in time'}")
        return 1
    if sys.stdout.isatty():
        stage.screen.say(f"Ask it yourself: revertrisk sql --lake {root} 'FROM both_models LIMIT 5'")
    return 0


async def _play_live(stage: Stage, live: Live) -> int:
    """Dispatch what is being edited on Wikipedia, until a signal or the limit."""
    stop = asyncio.Event()

    async def to_all() -> Summaries:
        summary = await dispatch(
            live.dispatch_settings(stage.folder, stage.targets),
            on_outcome=lambda outcome: _note_outcome(stage, outcome, outcome.rule),
            stop=stop,
            wrap=lambda source, rules: Sampled(source, rules, stage.screen.expect_nothing),
        )
        return {"both models": summary}

    with on_signals(stop.set):
        return await _play(stage, to_all)


async def _play(stage: Stage, work: Callable[[], Awaitable[Summaries]], storm: Storm | None = None) -> int:
    """Do the work while showing each prediction as EventGate accepts it, and reckon up."""
    screen, tally = stage.screen, stage.tally
    screen.say(f"\nLive page: {stage.gate}/_mock/")
    if stage.dashboard is not None:
        screen.say(f"Edits to look at, and charts: {stage.dashboard}/")
    screen.say("")
    done = asyncio.Event()
    async with aiohttp.ClientSession() as session:
        # The gate was there before the servers that its live page asks for reasons.
        await _put(session, f"{stage.gate}/_mock/explainers", dict(stage.targets))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_show_accepted(stage, session, done))
            if storm is not None:
                screen.explain_chaos()
                await storm.begin(session)
                tasks.create_task(storm.rage(session, lambda: tally.arrived, done))
            summaries = await work()
            done.set()
        stats = await _get(session, f"{stage.gate}/_mock/stats")
    for name, summary in summaries.items():
        screen.summarise(name, summary.as_dict())
    refused = sum(stats["refused"].values())
    unfinished = sum(summary.interrupted for summary in summaries.values())
    failed = len(tally.lost) + tally.differing + refused + unfinished
    if storm is None:
        screen.close(accepted=sum(stats["accepted"].values()), failed=failed)
    else:
        screen.close_chaos(tally, storm.struck, refused=refused, unfinished=unfinished)
    broken = [summary.source_error for summary in summaries.values() if summary.source_error is not None]
    for problem in broken:
        screen.say(problem)
    return 1 if failed or broken else 0


def _note_outcome(stage: Stage, outcome: Outcome, model_name: str | None) -> None:
    stage.tally.note_outcome(outcome)
    if outcome.event is None or model_name is None:
        return
    if outcome.ending is not Ending.PRODUCED:
        stage.screen.expect_nothing(outcome.event, model_name)
    elif outcome.attempts > 1:
        stage.screen.show_retried(outcome.event, model_name, outcome.attempts)


async def _show_accepted(stage: Stage, session: aiohttp.ClientSession, done: asyncio.Event) -> None:
    """Show what the gate accepts until the dispatchers are done and everything is shown."""
    async for event in _accepted(session, stage.gate, done):
        arrival = stage.tally.note_accepted(event)
        if arrival is Arrival.FIRST:
            stage.screen.show(event)
        else:
            stage.screen.show_repeated(event, is_same=arrival is Arrival.REPEATED)


async def _accepted(
    session: aiohttp.ClientSession, gate: str, done: asyncio.Event
) -> AsyncIterator[dict[str, Any]]:
    after = 0
    while True:
        last_look = done.is_set()
        page = await _get(session, f"{gate}/_mock/events?after={after}&limit={EVENTS_PER_POLL}")
        for item in page["events"]:
            yield item["event"]
        after = page["next_after"]
        if last_look and not page["events"]:
            return
        if not page["events"]:
            await asyncio.sleep(POLL_S)


async def _get(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as answer:
        answer.raise_for_status()
        return orjson.loads(await answer.read())


async def _put(session: aiohttp.ClientSession, url: str, document: Any) -> None:
    async with session.put(url, data=orjson.dumps(document)) as answer:
        answer.raise_for_status()
