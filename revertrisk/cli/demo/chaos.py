"""``revertrisk demo --chaos``: sets faults on both mocks while the sample edits are scored.

The requests with a fault are chosen at random, by a seed. EventGate also has one outage, during which it answers
nothing.
"""

import asyncio
import math
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import aiohttp
import orjson

from revertrisk.dispatcher.rule_language.rule import RetrySchedule

SHARE: Final = 0.03
"""The share of requests that get each kind of fault."""
OUTAGE_AFTER: Final = 60
"""The number of accepted predictions after which the outage of EventGate begins."""
OUTAGE_S: Final = 3.0
POLL_S: Final = 0.2
RETRIES: Final = RetrySchedule(limit=40, delay_s=0.5, factor=1.0)
SERVER_ENVIRONMENT: Final = {"AIOHTTP_CLIENT_TIMEOUT": "1"}
"""Production waits five seconds for an upstream that does not answer; the demo waits one, as a user is watching."""

MEDIAWIKI, EVENTGATE = "MediaWiki", "EventGate"
FAULTS: Final[Mapping[str, tuple[dict[str, Any], ...]]] = {
    MEDIAWIKI: (
        {"kind": "status", "status": 503, "retry_after": 1},
        {"kind": "rate_limited", "retry_after": 1},
        {"kind": "maxlag", "retry_after": 1},
        {"kind": "api_error", "code": "readonly"},
        {"kind": "html"},
        {"kind": "cut"},
        {"kind": "hang"},
        {"kind": "reset"},
    ),
    # Without 500, which EventGate also answers when it refuses events: the live page would show them as refused.
    EVENTGATE: (
        {"kind": "status", "status": 503},
        {"kind": "hang"},
        {"kind": "reset"},
        {"kind": "accept_then_hang"},
        {"kind": "accept_then_reset"},
    ),
}
IN_WORDS: Final[Mapping[str, str]] = {
    "status": "answers 503",
    "rate_limited": "answers 429, too many requests",
    "maxlag": "answers that its databases lag",
    "api_error": "answers that it is read-only",
    "html": "answers with a web page instead of data",
    "cut": "closes the connection in the middle of its answer",
    "hang": "does not answer",
    "reset": "resets the connection",
    "accept_then_hang": "accepts the prediction and does not answer",
    "accept_then_reset": "accepts the prediction and resets the connection before it answers",
}


class FaultRun:
    """Sets the faults of one run, shows and counts each fault that occurs, and removes them at the end."""

    def __init__(self, seed: int, addresses: Mapping[str, str], say: Callable[[str], None]) -> None:
        """``addresses`` has the address of each mock; ``say`` writes a line about a fault."""
        chance = random.Random(seed)  # noqa: S311 - a repeatable sequence is wanted
        self._faults = {
            name: [fault | {"rate": SHARE, "seed": chance.randrange(10**6)} for fault in faults]
            for name, faults in FAULTS.items()
        }
        self._addresses = addresses
        self._say = say
        self._shown: dict[tuple[str, str], int] = {}
        self.occurred: dict[str, int] = dict.fromkeys(addresses, 0)
        """The number of faults of each upstream."""

    async def start(self, session: aiohttp.ClientSession) -> None:
        """Set the faults of both mocks."""
        for name, faults in self._faults.items():
            await self._put(session, name, faults)

    async def run(
        self, session: aiohttp.ClientSession, accepted: Callable[[], int], over: asyncio.Event
    ) -> None:
        """Show each fault until ``over`` is set, then remove them; after `OUTAGE_AFTER` predictions make the outage."""
        now = asyncio.get_running_loop().time
        outage_ends: float | None = None
        while not over.is_set():
            if outage_ends is None and accepted() >= OUTAGE_AFTER:
                outage_ends = now() + OUTAGE_S
                await self._put(session, EVENTGATE, [{"kind": "hang"}])
                self._say(f"EventGate has an outage of {OUTAGE_S:.0f} seconds: it does not answer")
            elif outage_ends is not None and now() >= outage_ends:
                outage_ends = math.inf
                await self._put(session, EVENTGATE, self._faults[EVENTGATE])
                self._say("The outage of EventGate is over")
            await self._show(session)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await over.wait()
        for name in self._faults:
            await self._put(session, name, [])
        await self._show(session)

    async def _show(self, session: aiohttp.ClientSession) -> None:
        for name, address in self._addresses.items():
            async with session.get(f"{address}/_mock/stats") as answer:
                counts = orjson.loads(await answer.read())["faults"]
            self.occurred[name] = sum(counts.values())
            for kind, count in counts.items():
                new = count - self._shown.get((name, kind), 0)
                self._shown[name, kind] = count
                if new:
                    self._say(f"{name} {IN_WORDS[kind]}" + (f" ({new} times)" if new > 1 else ""))

    async def _put(self, session: aiohttp.ClientSession, name: str, faults: list[dict[str, Any]]) -> None:
        async with session.put(f"{self._addresses[name]}/_mock/faults", data=orjson.dumps(faults)) as answer:
            answer.raise_for_status()
