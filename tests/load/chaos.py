"""Everything goes wrong at once, and at the end exactly one prediction of each scorable revision is on the stream.

``python -m tests.load.chaos --seed 7 --seconds 60`` runs the real programs on loopback. Every event of a real
page's history is dispatched three times, each time in another order, while both upstreams fail in every way that
the mocks know and the server is killed and restarted. After ``--seconds`` the storm is over and what is left is
delivered. With ``--calm`` nothing goes wrong, and then nothing may be sent twice or retried.

The exit status is 0 if all holds, 1 if something does not, 2 if the run could not begin.
"""

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from revertrisk.cli.programs import running
from revertrisk.dispatcher.app import DispatchSettings, dispatch
from revertrisk.dispatcher.outcome import Outcome, Summary
from revertrisk.dispatcher.rule_language.rule import RetrySchedule
from tests.fakes.clients import STREAM
from tests.fakes.real_data import EDITS, PAGE
from tests.load.expectations import Expected, real_history, write_shuffled
from tests.load.storm import GATE_FAULTS, WIKI_FAULTS, Server, hide, seeded, set_faults, storm
from tests.load.verdict import Verdict, read_accepted

DELIVERIES = 3
RETRIES = RetrySchedule(limit=500, delay_s=0.2, factor=1.0)
RULE = """
rules:
  - name: chaos
    topic: mediawiki.page_change.v1
    concurrency: {concurrency}
    retry_on: {{status: [502, 503]}}
    timeout: 30000
    exec:
      method: post
      uri: "{{{{globals.target}}}}/v1/models/revertrisk-language-agnostic%3Apredict"
      headers: {{content-type: application/json{reemit}}}
      body: {{event: "{{{{globals.message}}}}"}}
"""
REEMIT = ', x-revertrisk-reemit: "1"'
"""One delivery asks for another emission, so that duplicates come even where a record would spare them."""
ENVIRONMENT = {"AIOHTTP_CLIENT_TIMEOUT": "1", "REQUEST_DEADLINE": "6", "SHUTDOWN_DELAY_SECONDS": "0"}
CONCURRENCY = 8
HIDDEN = 20
"""Revisions whose user and comment the API hides."""


class Run:
    """One run: its programs, its events, and what became of them."""

    def __init__(self, arguments: argparse.Namespace, folder: Path, stack: ExitStack) -> None:
        self._calm: bool = arguments.calm
        self._seconds: float = arguments.seconds
        self._chance = random.Random(arguments.seed)  # noqa: S311 - chance that repeats is what is wanted
        self._folder = folder
        dump = ["--dump", str(arguments.dump)]
        self._wiki = stack.enter_context(
            running(["mock-mediawiki", "--port", "0", *dump], folder / "wiki.log")
        ).url
        self._gate = stack.enter_context(running(["mock-eventgate", "--port", "0"], folder / "gate.log")).url
        self._server = Server(
            folder,
            ENVIRONMENT | {"WIKI_URL": self._wiki, "EVENTGATE_URL": self._gate, "EVENTGATE_STREAM": STREAM},
        )
        stack.callback(self._server.close)

    async def go(self, expected: Sequence[Expected]) -> tuple[Verdict, dict[str, Any]]:
        """Deliver everything, and judge."""
        await self._server.start()
        async with aiohttp.ClientSession() as session:
            over = asyncio.Event()
            outcomes: list[list[Outcome]] = [[] for _ in range(DELIVERIES)]
            hidden = self._hidden(expected)
            await set_faults(session, self._wiki, hidden)
            weather = asyncio.create_task(self._weather(session, hidden, over))
            summaries = await asyncio.gather(
                *(self._deliver(number, expected, outcomes[number]) for number in range(DELIVERIES))
            )
            over.set()
            kills = await weather
            struck = await self._struck(session)
            accepted = await read_accepted(session, self._gate)
        await self._server.stop()
        verdict = Verdict()
        duplicates = verdict.judge_events(expected, accepted)
        verdict.judge_hidden(accepted, {fault["rev_id"] for fault in hidden})
        verdict.judge_outcomes(expected, outcomes)
        statuses = verdict.judge_logs(self._server.logs)
        retries = sum(summary.retries for summary in summaries)
        if self._calm:
            verdict.require(
                "duplicates or retries in calm weather", [duplicates, retries] if duplicates + retries else []
            )
            verdict.require("answers other than 200 in calm weather", statuses.keys() - {200})
        elif not (kills and duplicates and retries):
            verdict.problems.append("the storm has not struck: no kill, no duplicate or no retry")
        return verdict, {
            "events": len(expected),
            "scorable": sum(item.outcome == "produced" for item in expected),
            "expected": dict(sorted(Counter(item.outcome for item in expected).items())),
            "deliveries": DELIVERIES * len(expected),
            "accepted": len(accepted),
            "duplicates": duplicates,
            "dispatcher_retries": retries,
            "given_up": sum(summary.given_up for summary in summaries),
            "answers": {str(status): number for status, number in sorted(statuses.items())},
            "server_kills": kills,
            "faults": struck,
        }

    def _hidden(self, expected: Sequence[Expected]) -> list[dict[str, Any]]:
        """Choose revisions whose user and comment the API hides from the beginning, whatever the events say."""
        scorable = [item.key[1] for item in expected if item.outcome == "produced"]
        return hide(self._chance.sample(scorable, HIDDEN))

    async def _weather(
        self, session: aiohttp.ClientSession, hidden: list[dict[str, Any]], over: asyncio.Event
    ) -> int:
        """Let the storm pass, if there is one, and return how often it killed the server."""
        if self._calm:
            return 0
        await set_faults(session, self._wiki, hidden + seeded(WIKI_FAULTS, self._chance))
        await set_faults(session, self._gate, seeded(GATE_FAULTS, self._chance))
        kills = await storm(self._server, self._chance, self._seconds, over)
        await set_faults(session, self._wiki, hidden)
        await set_faults(session, self._gate, [])
        return kills

    async def _struck(self, session: aiohttp.ClientSession) -> dict[str, dict[str, int]]:
        struck = {}
        for name, url in {"mediawiki": self._wiki, "eventgate": self._gate}.items():
            async with session.get(f"{url}/_mock/stats") as answer:
                struck[name] = orjson.loads(await answer.read())["faults"]
        return struck

    async def _deliver(self, number: int, expected: Sequence[Expected], outcomes: list[Outcome]) -> Summary:
        source = self._folder / f"events-{number}.jsonl"
        write_shuffled(list(expected), source, self._chance.randrange(10**6))
        rule = self._folder / f"rule-{number}.yaml"
        again = number == DELIVERIES - 1 and not self._calm
        rule.write_text(RULE.format(concurrency=CONCURRENCY, reemit=REEMIT if again else ""))
        return await dispatch(
            DispatchSettings(
                source=f"jsonl:{source}",
                rule_file=rule,
                target=self._server.url,
                dead_letters=self._folder / f"dead-{number}.jsonl",
                retries=RETRIES,
            ),
            on_outcome=outcomes.append,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print what it was like as one JSON object, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the storm lasts at most")
    parser.add_argument("--revisions", type=int, default=1000, help="scorable revisions of the export")
    parser.add_argument("--dump", type=Path, default=EDITS / PAGE, help="a MediaWiki XML export of one page")
    parser.add_argument("--calm", action="store_true", help="nothing goes wrong")
    options = parser.parse_args(arguments)
    if not options.dump.is_file():
        sys.stderr.write(f"--dump: {options.dump} is not there: expected a MediaWiki XML export\n")
        return 2
    logging.getLogger("revertrisk").setLevel(logging.ERROR)
    started = time.monotonic()
    expected = real_history(options.dump, options.revisions)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="revertrisk-chaos-")))
        verdict, counts = asyncio.run(Run(options, folder, stack).go(expected))
    report = {"seed": options.seed, "calm": options.calm} | counts
    report |= {"seconds": round(time.monotonic() - started, 1), "problems": verdict.problems}
    sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 1 if verdict.problems else 0


if __name__ == "__main__":
    sys.exit(main())
