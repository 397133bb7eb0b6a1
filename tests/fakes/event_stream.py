"""A server of Server-Sent Events as EventStreams sends them, whose connections are cut where a test says."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from aiohttp import web

TOPIC = "eqiad.mediawiki.page_change.v1"


@dataclass
class EventStream:
    """Serves its events from the one after ``Last-Event-ID`` on, or from the beginning where ``since`` is given."""

    events: list[bytes]
    cuts: Iterator[int] = field(default_factory=lambda: iter(()))
    """After how many bytes each connection is cut; once they are used up, connections stay open."""
    statuses: Iterator[tuple[int, dict[str, str]]] = field(default_factory=lambda: iter(()))
    """Answers, with their headers, to the first requests instead of a stream."""
    requests: list[tuple[str | None, str | None]] = field(default_factory=list)
    """The ``Last-Event-ID`` and the ``since`` of each request."""
    user_agents: set[str] = field(default_factory=set)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v2/stream/{stream}", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.StreamResponse:
        last_id, since = request.headers.get("last-event-id"), request.query.get("since")
        self.requests.append((last_id, since))
        self.user_agents.add(request.headers["user-agent"])
        status = next(self.statuses, None)
        if status is not None:
            return web.Response(status=status[0], headers=status[1])
        assert last_id is not None or since is not None, "a client that says neither can lose events"
        start = json.loads(last_id)[0]["offset"] + 1 if last_id is not None else 0
        left = next(self.cuts, None)
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        await response.write(b":ok\n\n")
        for offset in range(start, len(self.events)):
            written = self.written(offset)
            if left is not None and left <= len(written):
                await response.write(written[:left])
                assert request.transport is not None
                request.transport.close()
                return response
            await response.write(written)
            left = None if left is None else left - len(written)
        if left is None:
            await asyncio.Event().wait()  # a live stream waits for its next event
        return response

    def written(self, offset: int) -> bytes:
        event_id = json.dumps([{"topic": TOPIC, "partition": 0, "offset": offset}])
        return b"event: message\nid: %s\ndata: %s\n\n" % (event_id.encode(), self.events[offset])
