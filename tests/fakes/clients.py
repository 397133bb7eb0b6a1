"""How the integration tests speak to servers and mocks: as their users do, over HTTP."""

import io
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import orjson

from revertrisk.cli.programs import Program

MODEL = "revertrisk-language-agnostic"
FAILURE_KEYS = frozenset({"error", "detail", "code", "retryable", "request_id"})
"""What every failure body has."""
STREAM = "mediawiki.page_revert_risk_prediction_change.v1"


class StartServer(Protocol):
    """Starts a model server; keyword arguments are its environment."""

    def __call__(self, **environment: str) -> AbstractContextManager[Program]: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the server."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def outcome(self) -> str | None:
        return self.headers.get("x-revertrisk-outcome")


@dataclass(frozen=True, slots=True)
class Client:
    """Talks to servers and mocks as their users do."""

    session: aiohttp.ClientSession

    async def predict(
        self, server: str, body: Any, *, model: str = MODEL, reemit: bool = True, **headers: str
    ) -> Reply:
        """POST a predict body: an object as JSON, bytes as they are.

        Tests share servers, which remember what they have produced: ``reemit`` asks them to forget.
        """
        if reemit:
            headers["X-Revertrisk-Reemit"] = "1"
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        url = f"{server}/v1/models/{model}:predict"
        async with self.session.post(url, data=io.BytesIO(content), headers=headers) as answer:
            names = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(answer.status, orjson.loads(await answer.read()), names)

    async def get(self, url: str) -> Any:
        async with self.session.get(url) as answer:
            return orjson.loads(await answer.read())

    async def accepted(self, gate: str, **query: str) -> list[dict[str, Any]]:
        """Return the events that a mock EventGate has accepted, oldest first."""
        async with self.session.get(f"{gate}/_mock/events", params={"limit": "10000"} | query) as answer:
            return [item["event"] for item in orjson.loads(await answer.read())["events"]]

    async def forget(self, gate: str) -> None:
        async with self.session.delete(f"{gate}/_mock/events") as answer:
            answer.raise_for_status()
