"""A model server between its upstreams, and everything that a test can see of it from outside."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tests.fakes.clients import FAILURE_KEYS, Client, Reply
from tests.fakes.edited_wikis import MARKER, EditedWikis, Event

_SAMPLE = re.compile(r"^(\w+(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)
RETRY = {
    "x-triggered-by": "req:c2a2,changeprop.retry.mediawiki.page_change.v1:https://en.wikipedia.org/wiki/Foo"
}
"""How change-propagation marks a retry."""


@dataclass
class Stage:
    """One test's view of a server: it begins with empty mocks and without faults."""

    client: Client
    server: str
    log: Path
    wikis: EditedWikis
    gate: str
    replies: list[Reply] = field(default_factory=list)
    """Every answer of the server so far."""
    _log_begins: int = 0
    _metrics: Mapping[str, float] = field(default_factory=dict)

    async def deliver(self, event: Event, **headers: str) -> Reply:
        """Send an event in the way of change-propagation."""
        return await self.ask({"event": event}, reemit=False, **headers)

    async def ask(self, body: Any, *, reemit: bool = False, **headers: str) -> Reply:
        """Send any predict body."""
        reply = await self.client.predict(self.server, body, reemit=reemit, **headers)
        self.replies.append(reply)
        return reply

    async def wiki_faults(self, *faults: Mapping[str, Any]) -> None:
        """Replace the faults of the mock MediaWiki."""
        await self._put(f"{self.wikis.url}/_mock/faults", faults)

    async def gate_faults(self, *faults: Mapping[str, Any]) -> None:
        """Replace the faults of the mock EventGate."""
        await self._put(f"{self.gate}/_mock/faults", faults)

    async def wiki_calls(self) -> list[dict[str, Any]]:
        """Return the requests that the MediaWiki has seen in this test."""
        requests: list[dict[str, Any]] = await self.client.get(f"{self.wikis.url}/_mock/requests")
        return requests

    async def posts(self) -> int:
        """Return how many requests the EventGate has seen in this test."""
        stats: dict[str, Any] = await self.client.get(f"{self.gate}/_mock/stats")
        return int(stats["requests"])

    async def emitted(self) -> list[Event]:
        """Return the events that the EventGate has accepted in this test, oldest first."""
        return await self.client.accepted(self.gate)

    async def the_emitted(self) -> Event:
        """Return the one event that the EventGate has accepted in this test."""
        (event,) = await self.emitted()
        return event

    async def log_text(self) -> str:
        """Return what the server has logged in this test."""
        await self.metrics()  # a request's line is written after its answer, and before the next one's
        return self.log.read_bytes()[self._log_begins :].decode()

    async def log_lines(self) -> list[dict[str, Any]]:
        """Return the log lines of this test's requests."""
        lines = (orjson.loads(line) for line in (await self.log_text()).splitlines() if line.startswith("{"))
        return [line for line in lines if line["message"] == "predict"]

    async def counted(self) -> dict[str, float]:
        """Return how much each of the server's metrics has grown in this test."""
        now = await self.metrics()
        return {name: value - self._metrics.get(name, 0.0) for name, value in now.items()}

    async def metrics(self) -> dict[str, float]:
        """Return the server's metrics."""
        async with self.client.session.get(f"{self.server}/metrics") as answer:
            return {name: float(value) for name, value in _SAMPLE.findall(await answer.text())}

    async def _begin(self) -> None:
        await self.client.forget(self.gate)
        async with self.client.session.delete(f"{self.wikis.url}/_mock/requests") as answer:
            answer.raise_for_status()
        self._metrics = await self.metrics()  # after the last line of the test before
        self._log_begins = self.log.stat().st_size

    async def _end(self) -> None:
        """Lift the faults, and check what holds of every request whatever it was about."""
        await self.wiki_faults()
        await self.gate_faults()
        assert MARKER not in await self.log_text(), "something personal is in the log"
        for reply in self.replies:
            if reply.status >= 400:
                assert MARKER not in orjson.dumps(reply.body).decode(), "an error tells of its input"
                assert reply.body.keys() >= FAILURE_KEYS
                assert ("retry-after" in reply.headers) == reply.body["retryable"] == (reply.status == 503)
        counted = await self.counted()
        requests = {
            name: value for name, value in counted.items() if name.startswith("revertrisk_requests_total")
        }
        assert sum(requests.values()) == len(self.replies), "each request counts exactly once"

    async def _put(self, url: str, document: Any) -> None:
        async with self.client.session.put(url, data=orjson.dumps(document)) as answer:
            assert answer.status == 200, await answer.text()


@asynccontextmanager
async def on_stage(
    client: Client, server: str, log: Path, wikis: EditedWikis, gate: str
) -> AsyncIterator[Stage]:
    """Give a server to one test, and check at its end what must hold after every test."""
    stage = Stage(client, server, log, wikis, gate)
    await stage._begin()  # noqa: SLF001 - its other half
    try:
        yield stage
    finally:
        await stage._end()  # noqa: SLF001 - likewise
