"""The demo: every program of the distribution on loopback, and sample edits going through them."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from rich.console import Console

from cli.demo_screen import Screen
from cli.programs import LOOPBACK, ProgramError, free_port, running, stop_children
from dispatcher.app import DispatchSettings, dispatch
from dispatcher.outcome import Ending, Outcome
from dispatcher.summary import Summary
from event_platform.wikis import WikiTable
from mock_mediawiki.page_changes import write_page_changes
from mock_mediawiki.samples import SampleHistory
from model_server.settings import Settings

POLL_SECONDS = 0.2
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
EVENTS_PER_POLL = 100


@dataclass(frozen=True, slots=True)
class DemoModel:
    """A model that the demo serves, and the stream that is its own."""

    name: str
    stream: str
    port: int


MODELS = (
    DemoModel("revertrisk-language-agnostic", "mediawiki.page_revert_risk_prediction_change.v1", 8080),
    DemoModel(
        "revertrisk-multilingual", "mediawiki.page_revert_risk_multilingual_prediction_change.v1", 8082
    ),
)


def run() -> int:
    """Run the demo; return 0 only if every event was produced or skipped for a reason."""
    console = Console()
    # Whoever ends the demo ends its programs with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))
    with ExitStack() as stack:
        stack.callback(stop_children)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="revertrisk-demo-")))
        screen = Screen(console, [model.name for model in MODELS])
        try:
            gate, targets = _start_programs(stack, folder, screen)
        except ProgramError as exc:
            console.print(f"[red]The demo could not start a program:[/red] {exc}", highlight=False)
            return 1
        events = _write_sample_events(folder)
        try:
            return asyncio.run(_play(screen, events, folder, gate, targets))
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED


def _start_programs(stack: ExitStack, folder: Path, screen: Screen) -> tuple[str, dict[str, str]]:
    """Start mocks and servers; return the gate's address and each model's."""

    def start(name: str, wanted_port: int, *arguments: str, **environment: str) -> str:
        screen.say(f"Starting {name} …")
        program = stack.enter_context(
            running(arguments, folder / f"{name}.log", _clean_environment() | environment)
        )
        moved = "" if program.url.endswith(f":{wanted_port}") else f" (port {wanted_port} is taken)"
        screen.say(f"  {name} listens on {program.url}{moved}")
        return program.url

    wiki = start("mock MediaWiki", 8193, "mock-mediawiki", "--port", str(free_port(8193)))
    gate = start(
        "mock EventGate", 8192, "mock-eventgate", "--port", str(free_port(8192)), "--diff-base", wiki
    )
    targets = {
        model.name: start(
            model.name,
            model.port,
            "serve",
            HTTP_HOST=LOOPBACK,
            HTTP_PORT=str(free_port(model.port)),
            ENABLE_GRPC="false",
            MODEL_NAME=model.name,
            WIKI_URL=wiki,
            EVENTGATE_URL=gate,
            EVENTGATE_STREAM=model.stream,
            SHUTDOWN_DELAY_SECONDS="0",
            LOG_FORMAT="ecs",
        )
        for model in MODELS
    }
    return gate, targets


def _clean_environment() -> dict[str, str]:
    """Blank the server's own variables: the demo must not depend on what somebody has set."""
    return {name.upper(): "" for name in Settings.model_fields if name.upper() in os.environ}


def _write_sample_events(folder: Path) -> Path:
    path = folder / "page_changes.jsonl"
    wikis = WikiTable.load()
    with path.open("wb") as out:
        write_page_changes(SampleHistory.shipped(wikis), wikis, out)
    return path


async def _play(screen: Screen, events: Path, folder: Path, gate: str, targets: dict[str, str]) -> int:
    """Dispatch the sample events to every model, showing each prediction as EventGate accepts it."""
    screen.say(f"\nLive page: {gate}/_mock/\n")
    done = asyncio.Event()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        tasks.create_task(_show_accepted(screen, session, gate, done))
        summaries = await asyncio.gather(
            *(_dispatch(screen, events, folder, model.name, targets[model.name]) for model in MODELS)
        )
        done.set()
    async with aiohttp.ClientSession() as session:
        stats = await _get(session, f"{gate}/_mock/stats")
    accepted = sum(stats["accepted"].values())
    refused = sum(stats["refused"].values())
    for model, summary in zip(MODELS, summaries, strict=True):
        screen.summarise(model.name, summary.as_dict())
    produced = sum(summary.outcomes["produced"] for summary in summaries)
    failed = refused + sum(summary.given_up + summary.interrupted for summary in summaries)
    screen.close(accepted=accepted, failed=failed)
    if sys.stdout.isatty():
        screen.say(f"Everything is still running. Look at it live: {gate}/_mock/ (Ctrl-C ends it)")
        await _until_interrupted()
    return 0 if failed == 0 and accepted == produced else 1


async def _dispatch(screen: Screen, events: Path, folder: Path, model_name: str, target: str) -> Summary:
    def note(outcome: Outcome) -> None:
        if outcome.ending is not Ending.PRODUCED and outcome.event is not None:
            screen.expect_nothing(outcome.event, model_name)

    return await dispatch(
        DispatchSettings(
            source=f"jsonl:{events}",
            rule_file=Path(str(files("dispatcher") / "rules" / f"{model_name}.yaml")),
            target=target,
            dead_letters=folder / f"dead-letters-{model_name}.jsonl",
        ),
        on_outcome=note,
    )


async def _show_accepted(
    screen: Screen, session: aiohttp.ClientSession, gate: str, done: asyncio.Event
) -> None:
    """Show what the gate accepts until the dispatchers are done and everything is shown."""
    async for event in _accepted(session, gate, done):
        screen.show(event)


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
            await asyncio.sleep(POLL_SECONDS)


async def _get(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as answer:
        answer.raise_for_status()
        return orjson.loads(await answer.read())


async def _until_interrupted() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
