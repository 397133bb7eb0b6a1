"""``revertrisk demo --chaos``: both upstreams fail on purpose while the sample edits go through.

The mocks do it, by the faults that they document. Chance decides which requests are struck; the same seed strikes
the same ones again. In the middle EventGate is away for a while.
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
"""Of the requests that each kind of fault strikes."""
OUTAGE_AFTER: Final = 60
"""Accepted predictions until EventGate goes away."""
OUTAGE_S: Final = 3.0
POLL_S: Final = 0.2
RETRIES: Final = RetrySchedule(limit=40, delay_s=0.5, factor=1.0)
SERVER_ENVIRONMENT: Final = {"AIOHTTP_CLIENT_TIMEOUT": "1"}
"""Where production waits five seconds for a silent upstream, the demo waits one: a user is watching."""

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
    # No 500 among them: the gate would note it as a refusal, and there the live page is right to be loud.
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
    "maxlag": "says that its databases lag",
    "api_error": "says that it is read-only",
    "html": "answers with a web page instead of data",
    "cut": "breaks off in the middle of its answer",
    "hang": "does not answer",
    "reset": "resets the connection",
    "accept_then_hang": "takes the prediction and does not say so",
    "accept_then_reset": "takes the prediction and resets the connection before it says so",
}


class Storm:
    """The faults of one run: put in force, shown as they strike, lifted, counted."""

    def __init__(self, seed: int, addresses: Mapping[str, str], say: Callable[[str], None]) -> None:
        """Take the address of each upstream's mock, and what writes a line about a fault."""
        chance = random.Random(seed)  # noqa: S311 - chance that repeats is what is wanted
        self._faults = {
            name: [fault | {"rate": SHARE, "seed": chance.randrange(10**6)} for fault in faults]
            for name, faults in FAULTS.items()
        }
        self._addresses = addresses
        self._say = say
        self._shown: dict[tuple[str, str], int] = {}
        self.struck: dict[str, int] = dict.fromkeys(addresses, 0)
        """How many requests to each upstream were struck."""

    async def begin(self, session: aiohttp.ClientSession) -> None:
        """Put the faults in force."""
        for name, faults in self._faults.items():
            await self._put(session, name, faults)

    async def rage(
        self, session: aiohttp.ClientSession, accepted: Callable[[], int], over: asyncio.Event
    ) -> None:
        """Show the faults as they strike until all is delivered, and lift them; in the middle comes the outage."""
        now = asyncio.get_running_loop().time
        outage_ends: float | None = None
        while not over.is_set():
            if outage_ends is None and accepted() >= OUTAGE_AFTER:
                outage_ends = now() + OUTAGE_S
                await self._put(session, EVENTGATE, [{"kind": "hang"}])
                self._say(f"EventGate is away for {OUTAGE_S:.0f} seconds: it answers no request")
            elif outage_ends is not None and now() >= outage_ends:
                outage_ends = math.inf
                await self._put(session, EVENTGATE, self._faults[EVENTGATE])
                self._say("EventGate is back")
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
            self.struck[name] = sum(counts.values())
            for kind, count in counts.items():
                new = count - self._shown.get((name, kind), 0)
                self._shown[name, kind] = count
                if new:
                    self._say(f"{name} {IN_WORDS[kind]}" + (f" ({new} times)" if new > 1 else ""))

    async def _put(self, session: aiohttp.ClientSession, name: str, faults: list[dict[str, Any]]) -> None:
        async with session.put(f"{self._addresses[name]}/_mock/faults", data=orjson.dumps(faults)) as answer:
            answer.raise_for_status()
