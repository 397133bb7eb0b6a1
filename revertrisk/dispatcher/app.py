"""Builds a dispatcher from its settings and runs it."""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Any, TextIO

import uvloop
from prometheus_client import CollectorRegistry

from revertrisk.dispatcher.client import ServiceClient, new_session
from revertrisk.dispatcher.deadletters import DeadLetterError
from revertrisk.dispatcher.executor import Executor
from revertrisk.dispatcher.metrics import DispatcherMetrics
from revertrisk.dispatcher.outcome import (
    EXIT_INCOMPLETE,
    EXIT_OK,
    EXIT_UNUSABLE,
    Outcome,
    RefusalLimit,
    Summary,
)
from revertrisk.dispatcher.pipeline import DispatchPipeline
from revertrisk.dispatcher.progress import log_progress
from revertrisk.dispatcher.recent import RecentIds
from revertrisk.dispatcher.rule_language.problems import RuleFileError
from revertrisk.dispatcher.rule_language.rule import QUICK_RETRIES, Rule, Taken, Verdict
from revertrisk.dispatcher.rule_language.rule_file import load_rules
from revertrisk.dispatcher.settings import DEFAULT_USER_AGENT, DispatchSettings, SettingsError
from revertrisk.dispatcher.wiring import NOWHERE, Opening, target_of
from revertrisk.runtime.metrics_port import MetricsPortError, serving_metrics
from revertrisk.runtime.signals import on_signals
from revertrisk.streams.base import EventSource, SourceError, UnreadableRecord

__all__ = [
    "DEFAULT_USER_AGENT",
    "DispatchSettings",
    "SettingsError",
    "dispatch",
    "run",
]

log = logging.getLogger(__name__)

MAX_WAITING = 5000
"""The most postponed events in memory; the others stay in their topic."""

Wrap = Callable[[EventSource, tuple[Rule, ...]], EventSource]


async def dispatch(
    settings: DispatchSettings,
    on_outcome: Callable[[Outcome], None] | None = None,
    stop: asyncio.Event | None = None,
    *,
    wrap: Wrap = lambda source, _: source,
) -> Summary:
    """Run until the source ends, the limit is reached or ``stop`` is set; return the counts.

    ``on_outcome`` is called once for each outcome, in the order of completion. ``wrap`` can replace the source by one
    that filters or changes its events. ``stop`` is set when this returns.

    Raises:
        SettingsError: a setting is invalid.
        RuleFileError: a rule is invalid.
        DeadLetterError: the dead letters, or the retry topic, cannot be written.
        SourceError: a checkpoint cannot be written.

    """
    rules = load_rules(settings.rule_file, target=target_of(settings.target), any_topic=settings.any_topic)
    stop = stop or asyncio.Event()
    summary = Summary(resumes=settings.resumes)
    registry = CollectorRegistry()
    metrics = DispatcherMetrics(registry, settings.source.partition(":")[0])
    limit = RefusalLimit(settings.refusal_limit, stop, summary)
    listeners = [metrics.note_outcome, limit.note_outcome, *([on_outcome] if on_outcome else [])]

    def publish(outcome: Outcome) -> None:
        for listener in listeners:
            listener(outcome)

    async with AsyncExitStack() as stack:
        opening = Opening(settings, rules, metrics, stack)
        source = wrap(opening.source(), rules)
        skips = opening.skips()
        if skips is not None:
            listeners.append(skips.note_outcome)
        later, postponed = await opening.retry_topic()
        executor = Executor(
            rules,
            ServiceClient(await stack.enter_async_context(new_session(settings.user_agent))),
            await opening.dead_letters(),
            concurrency=settings.concurrency,
            retries=settings.retries or (QUICK_RETRIES if later is None else None),
            later=later,
        )
        pipeline = partial(
            DispatchPipeline,
            rules=rules,
            executor=executor,
            grace_s=settings.grace_s,
            on_outcome=publish,
            summary=summary,
        )
        try:
            stack.enter_context(serving_metrics(registry, settings.metrics_port))
        except MetricsPortError as exc:
            raise SettingsError(f"metrics_port: {exc}") from exc
        stack.callback(asyncio.create_task(log_progress(summary, executor.retrying)).cancel)
        runs = [pipeline(source, recent=RecentIds()).run(stop, limit=settings.limit)]
        if postponed is not None:
            runs.append(pipeline(postponed, max_held=MAX_WAITING).run(stop))
        await _until_one_ends(runs, stop)
    return summary


def run(settings: DispatchSettings, *, dry_run: bool = False, wrap: Wrap = lambda source, _: source) -> int:
    """Run the dispatcher as a program: stop on SIGTERM and SIGINT, print the summary, return the exit status.

    A dry run sends nothing. It prints for each event which rule takes it, or why no rule does.
    """
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if dry_run:
                return runner.run(_explain(settings, wrap))
            summary = runner.run(_dispatch_until_signalled(settings, wrap))
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


async def _dispatch_until_signalled(settings: DispatchSettings, wrap: Wrap) -> Summary:
    stop = asyncio.Event()
    with on_signals(stop.set):
        return await dispatch(settings, stop=stop, wrap=wrap)


async def _until_one_ends(runs: Sequence[Coroutine[Any, Any, Summary]], stop: asyncio.Event) -> None:
    """Run all of them; when one ends, stop the others. Raise the first exception, in the order of ``runs``."""
    tasks = [asyncio.ensure_future(run) for run in runs]
    for task in tasks:
        task.add_done_callback(lambda _: stop.set())
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def explain(source: EventSource, rules: tuple[Rule, ...], out: TextIO, *, limit: int | None) -> int:
    """Print for each event which rules take it, or why they do not; return the number of unreadable records.

    Raises:
        SourceError: the source cannot be read.

    """
    read = unreadable = 0
    async with aclosing(source.events()) as records:
        async for record in records:
            if isinstance(record, UnreadableRecord):
                unreadable += 1
                out.write(f"{record.position}: not an event: {record.reason}\n")
            else:
                out.writelines(
                    f"{record.position}: {rule.name} {_said(rule.judge(record.event, record.topic))}\n"
                    for rule in rules
                )
            read += 1
            if read == limit:
                break
    return unreadable


def _said(verdict: Verdict) -> str:
    if not isinstance(verdict, Taken):
        return f"does not take it: {verdict.why}"
    return f"takes it by {verdict.case.path}" if verdict.case.path else "takes it"


async def _explain(settings: DispatchSettings, wrap: Wrap) -> int:
    rules = load_rules(
        settings.rule_file, target=target_of(settings.target) or NOWHERE, any_topic=settings.any_topic
    )
    async with AsyncExitStack() as stack:
        opening = Opening(settings, rules, DispatcherMetrics(CollectorRegistry(), ""), stack)
        source = wrap(opening.source(peek=True), rules)
        try:
            unreadable = await explain(source, rules, sys.stdout, limit=settings.limit)
        finally:
            await source.close()
    return EXIT_INCOMPLETE if unreadable else EXIT_OK
