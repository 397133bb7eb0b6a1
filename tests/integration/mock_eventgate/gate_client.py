"""What the tests of the mock EventGate post, and how they talk to it."""

from typing import Any

import aiohttp

ONE = "mediawiki.page_revert_risk_prediction_change.v1"
OTHER = "mediawiki.page_revert_risk_multilingual_prediction_change.v1"


def prediction(stream: str = ONE, wiki_id: str = "nnwiki", **changes: Any) -> dict[str, Any]:
    """Return a small valid prediction event."""
    return {
        "$schema": "/mediawiki/page/prediction_classification_change/1.3.0",
        "changelog_kind": "update",
        "dt": "2026-01-31T12:00:00Z",
        "meta": {
            "stream": stream,
            "dt": "2026-01-31T12:00:01.250Z",
            "id": "id-1",
            "domain": "nn.wikipedia.org",
        },
        "page": {"namespace_id": 0, "page_id": 12, "page_title": "Fjell", "is_redirect": False},
        "page_change_kind": "edit",
        "revision": {"rev_id": 345, "rev_dt": "2026-01-31T12:00:00Z"},
        "wiki_id": wiki_id,
        **changes,
    }


class Gate:
    """A running mock, as a client sees it."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def post(self, events: Any, query: str = "", **headers: str) -> int:
        """Post events and return the status."""
        url = f"{self.url}/v1/events{query}"
        async with self.session.post(url, json=events, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def read(self, path: str, status: int = 200) -> Any:
        """Return the JSON at a /_mock path."""
        async with self.session.get(f"{self.url}/_mock/{path}") as answer:
            assert answer.status == status
            return await answer.json()

    async def forget(self) -> None:
        """Empty it."""
        async with self.session.delete(f"{self.url}/_mock/events") as answer:
            assert answer.status == 204

    async def set_faults(self, *faults: dict[str, Any]) -> None:
        """Put faults in force instead of all others."""
        async with self.session.put(f"{self.url}/_mock/faults", json=faults) as answer:
            assert answer.status == 200

    async def clear_faults(self) -> None:
        """Lift all faults."""
        async with self.session.delete(f"{self.url}/_mock/faults") as answer:
            assert answer.status == 204

    async def fired(self, kind: str, times: int = 1) -> None:
        """Wait until a kind of fault has struck so many times."""
        while (await self.read("stats"))["faults"].get(kind, 0) < times:
            pass

    async def produced(self) -> list[str]:
        """Return the wikis of the events that were produced."""
        return [item["event"]["wiki_id"] for item in (await self.read("events"))["events"]]
