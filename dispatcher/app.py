"""Put a dispatcher together from its settings and run it."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from dispatcher.client import HttpClient, new_session
from dispatcher.deadletters import DeadLetterError, DeadLetterFile
from dispatcher.dry_run import explain
from dispatcher.executor import Executor
from dispatcher.outcome import Outcome
from dispatcher.pipeline import Pipeline
from dispatcher.problems import RuleFileError
from dispatcher.retries import QUICK_RETRIES, RetrySchedule
from dispatcher.rule_file import load_rules
from dispatcher.sources.base import EventSource, SourceError
from dispatcher.sources.jsonl import JsonlSource
from dispatcher.summary import Summary

log = logging.getLogger(__name__)

EXIT_OK = 0
EXIT_INCOMPLETE = 1
"""Something was given up or interrupted, or the source or the dead letters broke."""
EXIT_UNUSABLE = 2
"""A setting or a rule cannot work; nothing was read."""

DEFAULT_USER_AGENT = (
    f"revertrisk-dispatcher/{version('revertrisk-events')} (https://pypi.org/project/revertrisk-events/)"
)


_NOWHERE = "http://localhost"
"""The target of a dry run that is given none: rules name one, and nothing is sent there."""


class SettingsError(Exception):
    """A setting cannot work; the text names it and says what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchSettings:
    """What one run of the dispatcher needs to know."""

    source: str
    """``jsonl:FILE``, or ``jsonl:-`` for standard input."""
    rule_file: Path
    target: str | None = None
    """The base address that ``{{globals.target}}`` stands for."""
    dead_letters: Path = Path("dead-letters.jsonl")
    concurrency: int | None = None
    """Requests under way for each rule; None leaves it to the rule."""
    limit: int | None = None
    """Stop after so many records; None reads to the end."""
    retries: RetrySchedule | None = QUICK_RETRIES
    """Wins over the rules' own, which are minutes long; None leaves it to the rules."""
    grace_s: float = 30.0
    """How long a shutdown waits for requests under way."""
    user_agent: str = DEFAULT_USER_AGENT

    def __post_init__(self) -> None:
        for name, value in (("concurrency", self.concurrency), ("limit", self.limit)):
            if value is not None and value < 1:
                raise SettingsError(f"{name}: expected a number of at least 1, or nothing")


async def dispatch(
    settings: DispatchSettings,
    on_outcome: Callable[[Outcome], None] | None = None,
    stop: asyncio.Event | None = None,
) -> Summary:
    """Run until the source ends, the limit is reached or ``stop`` is set; returns the counts.

    ``on_outcome`` is called once for each outcome, in the order in which they come.

    Raises:
        SettingsError: a setting cannot work.
        RuleFileError: a rule cannot work.
        DeadLetterError: the dead letters cannot be written.

    """
    source = open_source(settings.source)
    rules = load_rules(settings.rule_file, target=_target(settings.target))
    with DeadLetterFile(settings.dead_letters) as dead_letters:
        async with new_session(settings.user_agent) as session:
            executor = Executor(
                rules,
                HttpClient(session),
                dead_letters,
                concurrency=settings.concurrency,
                retries=settings.retries,
            )
            pipeline = Pipeline(source, rules, executor, grace_s=settings.grace_s, on_outcome=on_outcome)
            return await pipeline.run(stop or asyncio.Event(), limit=settings.limit)


def run(settings: DispatchSettings, *, dry_run: bool = False) -> int:
    """Dispatch as a program does: stop on SIGTERM and SIGINT, show the summary, return the exit status.

    A dry run sends nothing and says for each event which rule takes it, or why none does.
    """
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if dry_run:
                return runner.run(_explain(settings))
            summary = runner.run(_dispatch_until_signalled(settings))
    except (SettingsError, RuleFileError) as exc:
        sys.stderr.write(f"{exc}\n")
        return EXIT_UNUSABLE
    except (SourceError, DeadLetterError) as exc:
        sys.stderr.write(f"{exc}\n")
        return EXIT_INCOMPLETE
    summary.show()
    if summary.source_error is not None:
        sys.stderr.write(f"{summary.source_error}\n")
    return EXIT_OK if summary.is_clean else EXIT_INCOMPLETE


def open_source(spec: str) -> EventSource:
    """Return the source that ``KIND:WHERE`` names; raises SettingsError."""
    kind, colon, where = spec.partition(":")
    if kind == "jsonl" and colon and where:
        return JsonlSource.from_path(where)
    raise SettingsError(f"source: expected jsonl:FILE or jsonl:- (standard input), not {spec!r}")


async def _dispatch_until_signalled(settings: DispatchSettings) -> Summary:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return await dispatch(settings, stop=stop)


async def _explain(settings: DispatchSettings) -> int:
    rules = load_rules(settings.rule_file, target=_target(settings.target) or _NOWHERE)
    unreadable = await explain(open_source(settings.source), rules, sys.stdout, limit=settings.limit)
    return EXIT_INCOMPLETE if unreadable else EXIT_OK


def _target(target: str | None) -> str | None:
    if target is None:
        return None
    try:
        url = urlsplit(target)
        usable = url.scheme in {"http", "https"} and url.hostname and url.port != 0
    except ValueError:  # a port that is none
        usable = False
    if not usable or url.query or url.fragment or url.username is not None:
        # Without repeating it: what is wrong with it may be the password inside.
        raise SettingsError("target: expected http://host:port or https://host, with at most a path")
    return target.rstrip("/")
