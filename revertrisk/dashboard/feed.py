"""``/feed``: the edits to look at, as Server-Sent Events. The first message has all of them, later ones the changes.

A message is a JSON object. ``begin`` is true in the first message. ``put`` has the new and changed cards. ``order`` has
the keys of all cards in their order; a card that is not in it is removed, and ``gone`` says why. ``source`` says what
still arrives. Each other field is present if it changed.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

import orjson
from aiohttp import hdrs, web

from revertrisk.dashboard.freshness import Arrivals
from revertrisk.dashboard.open_edit import EditKey, Gone, OpenEdit, Order, View
from revertrisk.dashboard.open_edits import OpenEdits
from revertrisk.dashboard.surges import Surges
from revertrisk.dashboard.thresholds import ALL, Thresholds
from revertrisk.runtime.instants import iso_z
from revertrisk.wiki.table import WikiTable
from revertrisk.wiki.user_kinds import UserKind

MAX_SHOWN: Final = 100
"""The most cards in a list; ``total`` is the number of all."""
CHECK_EVERY_S: Final = 0.5
SEND_TIME_EVERY_S: Final = 5.0
"""The longest time without a message. One without changes has the watermark, and shows that the connection works."""
MAX_PAGES: Final = 200
"""Pages that are open at once; for one more the answer is 503."""

Card = dict[str, Any]


class Links:
    """Addresses of diffs, from the wiki table; an address in an event is never used."""

    def __init__(self, wikis: WikiTable, diff_base: str | None) -> None:
        """``diff_base`` is a mock MediaWiki; if set, links go to its diff pages instead of the wikis'."""
        self._wikis = wikis
        self._diff_base = diff_base and diff_base.rstrip("/")

    def diff(self, wiki_id: str, rev_id: int) -> str:
        """Return the address of a revision's diff; the wiki must be in the table."""
        if self._diff_base is not None:
            return f"{self._diff_base}/_mock/diff/{quote(wiki_id, safe='')}/{rev_id}"
        wiki = self._wikis.by_id(wiki_id)
        assert wiki is not None, wiki_id  # noqa: S101 - edits of unknown wikis are not read
        return f"https://{wiki.domain}/w/index.php?diff={rev_id}"


class Feed:
    """The handler of ``/feed``."""

    def __init__(  # noqa: PLR0913 - the parts of a page
        self,
        edits: OpenEdits,
        thresholds: Thresholds,
        links: Links,
        surges: Surges,
        arrivals: Arrivals,
        *,
        models_with_reasons: Callable[[], list[str]],
        check_every_s: float = CHECK_EVERY_S,
    ) -> None:
        self._edits = edits
        self._thresholds = thresholds
        self._links = links
        self._surges = surges
        self._arrivals = arrivals
        self._models_with_reasons = models_with_reasons
        self._check_every_s = check_every_s
        self._pages: set[asyncio.Task[Any]] = set()
        self._views: dict[View, dict[str, Any]] = {}
        """By filters: the content of the page, computed once for each version of the edits."""
        self._version = -1

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send messages until the client disconnects; ``?wiki=&model=&user=&order=`` are the filters."""
        user = request.query.get("user")
        view = View(
            model=request.query.get("model", ""),
            wiki=request.query.get("wiki") or None,
            user=UserKind(user) if user in set(UserKind) else None,
            order=Order.WORST if request.query.get("order") == Order.WORST else Order.NEWEST,
        )
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a handler runs in a task
        if len(self._pages) >= MAX_PAGES:
            raise web.HTTPServiceUnavailable(text="too many pages are open", headers={"Retry-After": "30"})
        self._pages.add(task)
        try:
            response = web.StreamResponse(
                headers={hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-store"}
            )
            await response.prepare(request)
            await self._send(response, view)
        except ConnectionError:
            pass
        finally:
            self._pages.discard(task)
        return response

    def close(self) -> None:
        """End all responses; they have no end of their own."""
        for task in self._pages:
            task.cancel()

    async def _send(self, response: web.StreamResponse, wanted: View) -> None:
        sent: dict[str, Any] = {}
        cards: dict[str, Card] = {}
        told: dict[str, Any] = {}
        version, waited = -1, 0.0
        while True:
            message: dict[str, Any] = {}
            if version != self._edits.version:
                version = self._edits.version
                model = wanted.model or next(iter(self._edits.models), "")
                content = self._content(replace(wanted, model=model))
                new = {card["key"]: card for card in content["cards"]}
                message = {name: value for name, value in content.items() if name != "cards"}
                message["order"] = list(new)
                message["explains"] = self._models_with_reasons()
                message["gone"] = self._gone([card for key, card in cards.items() if key not in new], model)
                changed = {name: value for name, value in message.items() if sent.get(name) != value}
                put = [card for key, card in new.items() if cards.get(key) != card]
                first = {"begin": True} if not sent else {}
                sent, cards = message, new
                message = first | changed | ({"put": put} if put else {})
            source = self._arrivals.as_json()
            if source != told:
                message["source"] = told = source
            if message or waited >= SEND_TIME_EVERY_S:
                shown = sent["model"]
                message["received"] = {
                    "predictions": self._edits.predictions[shown],
                    "duplicates": self._edits.duplicates[shown],
                }
                message["as_of"] = None if self._edits.watermark is None else iso_z(self._edits.watermark)
                await response.write(b"data: " + orjson.dumps(message) + b"\n\n")
                waited = 0.0
            await asyncio.sleep(self._check_every_s)
            waited += self._check_every_s

    def _gone(self, cards: Iterable[Card], model: str) -> dict[str, Gone]:
        """Return why cards are gone; one that is only after the last that is shown is not among them."""
        found = {
            card["key"]: self._edits.why_gone(EditKey(card["wikiId"], card["revId"], model)) for card in cards
        }
        return {key: why for key, why in found.items() if why is not None}

    def _content(self, view: View) -> dict[str, Any]:
        if self._version != self._edits.version:
            self._version = self._edits.version
            self._views.clear()
        found = self._views.get(view)
        if found is None:
            edits = self._edits.select(view)
            reverts = self._edits.reverts(view.wiki, view.model)
            found = {
                "cards": [self._card(edit) for edit in edits[:MAX_SHOWN]],
                "total": len(edits),
                "reverted": {
                    "edits": reverts.edits,
                    "by_bots": reverts.by_bots,
                    "in_hours": self._edits.hours,
                },
                "surges": [surge.as_json() for surge in self._surges.open(view.wiki)],
                "wikis": self._edits.counts(view),
                "models": self._edits.models,
                "model": view.model,
                "threshold": self._threshold(view),
            }
            self._views[view] = found
        return found

    def _threshold(self, view: View) -> float | None:
        """Return the threshold of a view for the latest version of its model; None if each wiki has its own."""
        version = self._edits.versions.get(view.model, "")
        if view.wiki is None and self._thresholds.differ(view.model, version):
            return None
        return self._thresholds.of(view.model, version, view.wiki or ALL)

    def _card(self, edit: OpenEdit) -> Card:
        wiki_id, rev_id, model_name = edit.key
        return {
            "key": f"{wiki_id} {rev_id}",
            "wikiId": wiki_id,
            "revId": rev_id,
            "title": edit.title,
            "madeAt": iso_z(edit.made_at),
            "risk": edit.risk,
            "threshold": self._thresholds.of(model_name, edit.model_version, wiki_id),
            "version": edit.model_version,
            "userKind": edit.user_kind.value,
            "isRevert": edit.is_revert,
            "link": self._links.diff(wiki_id, rev_id),
        }
