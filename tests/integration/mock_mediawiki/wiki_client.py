"""How the tests talk to a running mock MediaWiki."""

from dataclasses import dataclass
from typing import Any

import aiohttp

EVERYTHING = "ids|timestamp|flags|user|userid|comment|sha1|size|contentmodel|tags|content"
"""An ``rvprop`` with everything about a revision."""
DEFAULTS = {"action": "query", "format": "json", "formatversion": "2"}


@dataclass(frozen=True, slots=True)
class Wiki:
    """A running mock: its address, and an open client."""

    address: str
    client: aiohttp.ClientSession

    async def query(self, host: str = "de.wikipedia.org", **params: str) -> dict[str, Any]:
        """Ask ``action=query`` of a wiki and return the answer."""
        async with self.client.get(
            f"{self.address}/w/api.php", params=DEFAULTS | params, headers={"Host": host}
        ) as response:
            assert response.status == 200
            answer: dict[str, Any] = await response.json()
            assert response.headers.get("MediaWiki-API-Error") == answer.get("error", {}).get("code")
            return answer

    async def mock(self, path: str, method: str = "GET", status: int = 200, **body: Any) -> Any:
        """Send a request to a ``/_mock/`` path and return the JSON of the answer; None where it has no body."""
        async with self.client.request(method, f"{self.address}/_mock/{path}", **body) as response:
            assert response.status == status, await response.text()
            return await response.json() if status != 204 else None

    async def put(self, *faults: dict[str, Any]) -> None:
        """Put faults in force instead of all earlier ones."""
        await self.mock("faults", "PUT", json=list(faults))

    async def lift(self) -> None:
        """Lift all faults."""
        await self.mock("faults", "DELETE", 204)

    async def revision(self, rev_id: int, host: str = "de.wikipedia.org") -> dict[str, Any] | None:
        """Ask for one revision with everything about it; None if it is in badrevids."""
        params = {"prop": "revisions", "revids": str(rev_id), "rvprop": EVERYTHING, "rvslots": "main"}
        answer = await self.query(host, **params)
        if str(rev_id) in answer["query"].get("badrevids", {}):
            return None
        (shown,) = answer["query"]["pages"][0]["revisions"]
        assert isinstance(shown, dict)
        return shown
