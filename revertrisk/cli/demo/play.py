"""Runs the demo: starts all programs on loopback, and dispatches edits to them.

The edits are those of the sample pages (with ``--chaos`` both mocks have faults), or current edits of Wikipedia
(``--live``).
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
from revertrisk.cli.demo.chaos import EVENTGATE, MEDIAWIKI, RETRIES, SERVER_ENVIRONMENT, FaultRun
from revertrisk.cli.demo.live import Live, Sampled
from revertrisk.cli.demo.programs import MODELS, Starter
from revertrisk.cli.demo.screen import Screen
from revertrisk.cli.demo.tally import Arrival, Tally
from revertrisk.cli.programs import ProgramError, stop_children
from revertrisk.dispatcher.app import DispatchSettings, dispatch
from revertrisk.dispatcher.outcome import Ending, Outcome, Summary
from revertrisk.event_platform.streams import PREDICTION_STREAMS
from revertrisk.runtime.signals import on_signals
from revertrisk.wiki.relay import has_proxy_for_wikis, wiki_relay
from revertrisk.wiki.table import WikiTable

POLL_S = 0.2
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
EVENTS_PER_POLL = 100

Summaries = Mapping[str, Summary]
Dispatching = Coroutine[Any, Any, int]


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """The addresses of the running programs, the output, and the counts."""

    screen: Screen
    tally: Tally
    folder: Path
    gate: str
    targets: Mapping[str, str]
    """The address of each model's server."""
    dashboard: str | None = None
    """The address of the dashboard."""


def run(*, chaos_seed: int | None = None, live: Live | None = None) -> int:
    """Run the demo; return 0 only if every expected prediction is on the stream and the lake could be filled.

    With ``chaos_seed`` both mocks have faults. With ``live`` the edits are Wikipedia's. Neither run makes a lake, nor
    does one without the lake's packages.
    """
    console = Console()
    # On these signals the demo exits, and the exit stack stops its programs.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(EXIT_TERMINATED))
    with ExitStack() as stack:
        stack.callback(stop_children)
        try:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="revertrisk-demo-")))
        except FileNotFoundError as exc:
            raise OSError(
                exc.errno, "no folder for temporary files is writable: set TMPDIR to a folder that is"
            ) from exc
        screen = Screen(console, [model.name for model in MODELS])
        starter = Starter(stack, folder, screen.say)
        try:
            if live is not None:
                dispatching = _live(starter, screen, folder, live)
            else:
                dispatching = _samples(starter, screen, folder, chaos_seed)
        except ProgramError as exc:
            console.print(f"[red]The demo could not start a program:[/red] {exc}", highlight=False)
            return 1
        try:
            return asyncio.run(dispatching)
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED


def _samples(starter: Starter, screen: Screen, folder: Path, chaos_seed: int | None) -> Dispatching:
    """Start all programs; return the coroutine that dispatches the sample edits."""
    wiki = starter.mediawiki()
    gate = starter.eventgate(diff_base=wiki)
    environment = {"WIKI_URL": wiki} | ({} if chaos_seed is None else SERVER_ENVIRONMENT)
    targets = starter.servers(gate, environment)
    events = _write_sample_events(folder)
    faults = dashboard = None
    if chaos_seed is None and lake.has_engines():
        streams = ",".join(PREDICTION_STREAMS.values())
        sources = [f"jsonl:{events}", f"eventstreams:{gate}/v2/stream/{streams}"]
        dashboard = starter.dashboard(sources, targets, wiki, folder / lake.FOLDER)
    demo = RunningDemo(screen, Tally(), folder, gate, targets, dashboard)
    if chaos_seed is not None:
        faults = FaultRun(chaos_seed, {MEDIAWIKI: wiki, EVENTGATE: gate}, screen.say_fault)
    return _dispatch_samples(demo, events, faults)


def _live(starter: Starter, screen: Screen, folder: Path, live: Live) -> Dispatching:
    """Start EventGate and the servers; return the coroutine that dispatches Wikipedia's edits."""
    gate = starter.eventgate()
    environment, wikis = live.server_environment, WikiTable.load()
    if live.wiki_url is None and has_proxy_for_wikis(wikis):
        environment["WIKI_URL"] = starter.stack.enter_context(wiki_relay(wikis))
    targets = starter.servers(gate, environment)
    # Shows the user why no edits arrive, for example while EventStreams refuses a connection.
    logging.basicConfig(format="  %(message)s", stream=sys.stdout)
    logging.getLogger("revertrisk.streams").setLevel(logging.INFO)
    return _dispatch_live(RunningDemo(screen, Tally(), folder, gate, targets), live)


def _write_sample_events(folder: Path) -> Path:
    path = folder / "page_changes.jsonl"
    wikis = WikiTable.load()
    with path.open("wb") as out:
        write_page_changes(SampleHistory.shipped(wikis), wikis, out)
    return path


async def _dispatch_samples(demo: RunningDemo, events: Path, faults: FaultRun | None) -> int:
    """Dispatch the sample events to all models; on a terminal, stay until Ctrl-C."""

    async def of_model(name: str) -> Summary:
        return await dispatch(
            DispatchSettings(
                source=f"jsonl:{events}",
                rule_file=Path(str(files("revertrisk.dispatcher") / "rules" / f"{name}.yaml")),
                target=demo.targets[name],
                dead_letters=demo.folder / f"dead-letters-{name}.jsonl",
                retries=None if faults is None else RETRIES,
            ),
            on_outcome=lambda outcome: _note_outcome(demo, outcome, name),
        )

    async def to_all() -> Summaries:
        summaries = await asyncio.gather(*(of_model(model.name) for model in MODELS))
        return {model.name: summary for model, summary in zip(MODELS, summaries, strict=True)}

    status = await _dispatch(demo, to_all, faults)
    if faults is None:
        status = max(status, await _ask_lake(demo, events))
    if sys.stdout.isatty():
        pages = [f"{demo.gate}/_mock/", *([f"{demo.dashboard}/"] if demo.dashboard is not None else [])]
        demo.screen.say(
            f"All programs are still running. Pages: {' and '.join(pages)} (Ctrl-C ends the demo)"
        )
        stop = asyncio.Event()
        with on_signals(stop.set):
            await stop.wait()
    return status


async def _ask_lake(demo: RunningDemo, events: Path) -> int:
    """Write all events into a lake and query it; return 1 if that fails."""
    if not lake.has_engines():
        demo.screen.say(lake.MISSING)
        return 0
    demo.screen.say(
        "\nAll events are written into a lake. How many edits were undone, by the risk of each model?"
    )
    try:
        root = await lake.fill_lake(demo.folder, events, demo.gate, demo.tally.arrived)
        demo.screen.show_answer(lake.QUESTION, *await asyncio.to_thread(lake.ask, root))
    except lake.errors() as exc:
        demo.screen.say(f"The lake could not be filled: {exc or 'some events did not arrive in time'}")
        return 1
    if sys.stdout.isatty():
        demo.screen.say(f"Your own query: revertrisk sql --lake {root} 'FROM both_models LIMIT 5'")
    return 0


async def _dispatch_live(demo: RunningDemo, live: Live) -> int:
    """Dispatch current edits of Wikipedia, until a signal arrives or the limit is reached."""
    stop = asyncio.Event()

    async def to_all() -> Summaries:
        summary = await dispatch(
            live.dispatch_settings(demo.folder, demo.targets),
            on_outcome=lambda outcome: _note_outcome(demo, outcome, outcome.rule),
            stop=stop,
            wrap=lambda source, rules: Sampled(source, rules, demo.screen.expect_nothing),
        )
        return {"both models": summary}

    with on_signals(stop.set):
        return await _dispatch(demo, to_all)


async def _dispatch(
    demo: RunningDemo, work: Callable[[], Awaitable[Summaries]], faults: FaultRun | None = None
) -> int:
    """Run the dispatchers, show each prediction that EventGate accepts, and write the summary."""
    screen, tally = demo.screen, demo.tally
    screen.say(f"\nLive page: {demo.gate}/_mock/")
    if demo.dashboard is not None:
        screen.say(f"Edits to look at, and charts: {demo.dashboard}/")
    screen.say("")
    done = asyncio.Event()
    async with aiohttp.ClientSession() as session:
        # EventGate was started before the servers, so its live page does not have their addresses yet.
        await _put(session, f"{demo.gate}/_mock/explainers", dict(demo.targets))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_show_accepted(demo, session, done))
            if faults is not None:
                screen.explain_chaos()
                await faults.start(session)
                tasks.create_task(faults.run(session, lambda: tally.arrived, done))
            summaries = await work()
            done.set()
        stats = await _get(session, f"{demo.gate}/_mock/stats")
    for name, summary in summaries.items():
        screen.summarise(name, summary.as_dict())
    refused = sum(stats["refused"].values())
    unfinished = sum(summary.interrupted for summary in summaries.values())
    failed = len(tally.lost) + tally.differing + refused + unfinished
    if faults is None:
        screen.close(accepted=sum(stats["accepted"].values()), failed=failed)
    else:
        screen.close_chaos(tally, faults.occurred, refused=refused, unfinished=unfinished)
    broken = [summary.source_error for summary in summaries.values() if summary.source_error is not None]
    for problem in broken:
        screen.say(problem)
    return 1 if failed or broken else 0


def _note_outcome(demo: RunningDemo, outcome: Outcome, model_name: str | None) -> None:
    demo.tally.note_outcome(outcome)
    if outcome.event is None or model_name is None:
        return
    if outcome.ending is not Ending.PRODUCED:
        demo.screen.expect_nothing(outcome.event, model_name)
    elif outcome.attempts > 1:
        demo.screen.show_retried(outcome.event, model_name, outcome.attempts)


async def _show_accepted(demo: RunningDemo, session: aiohttp.ClientSession, done: asyncio.Event) -> None:
    """Show what EventGate accepts, until the dispatchers have ended and all predictions are shown."""
    async for event in _accepted(session, demo.gate, done):
        arrival = demo.tally.note_accepted(event)
        if arrival is Arrival.FIRST:
            demo.screen.show(event)
        else:
            demo.screen.show_repeated(event, is_same=arrival is Arrival.REPEATED)


async def _accepted(
    session: aiohttp.ClientSession, gate: str, done: asyncio.Event
) -> AsyncIterator[dict[str, Any]]:
    after = 0
    while True:
        # Read before the request: what was accepted before `done` was set is then in one of the answers.
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
