"""An EventGate that answers as a test says, and keeps what it was sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from tests.fakes.loopback import serving

Answers = tuple[int, Any]
ACCEPTED: Answers = (201, None)


@dataclass
class ScriptedGate:
    """Answers every POST with ``answer``, a status and a JSON body; bytes are sent as they are."""

    url: str = ""
    answer: Answers = ACCEPTED
    bodies: list[bytes] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        status, body = self.answer
        content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        return web.Response(status=status, body=content, content_type="application/json")


@contextmanager
def scripted_gate() -> Iterator[ScriptedGate]:
    """Run one while the context lasts; it shows no stream configuration."""
    gate = ScriptedGate()
    app = web.Application()
    app.router.add_post("/v1/events", gate.take)
    with serving(app) as gate.url:
        yield gate
