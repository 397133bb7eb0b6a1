"""Say for each event which rule takes it, or why none does, without sending anything."""

from contextlib import aclosing
from typing import TextIO

from revertrisk.dispatcher.rule_language.rule import Rule, Taken, Verdict
from revertrisk.streams.base import EventSource, UnreadableRecord


async def explain(source: EventSource, rules: tuple[Rule, ...], out: TextIO, *, limit: int | None) -> int:
    """Write one line an event and a rule; returns how many records were no events.

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
                    f"{record.position}: {rule.name} {_said(rule.judge(record.event))}\n" for rule in rules
                )
            read += 1
            if read == limit:
                break
    return unreadable


def _said(verdict: Verdict) -> str:
    if not isinstance(verdict, Taken):
        return f"does not take it: {verdict.why}"
    return f"takes it by {verdict.case.path}" if verdict.case.path else "takes it"
