"""The live page at ``/_mock/``: its files, and the feed of what ``/v2/stream`` does not carry.

The page reads predictions from ``/v2/stream/…`` as any client would, and polls the feed for the gate's counts
and refusals. Each page keeps only one connection open, because browsers allow six a host.
"""

import json
from importlib.resources import files
from typing import Any, Final
from uuid import uuid4

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from mock_eventgate.gate import Gate
from mock_eventgate.readback import integer_parameter
from revertrisk.event_platform.streams import PREDICTION_SCHEMA_TITLE
from revertrisk.mock_server.http import bad_request, read_document
from revertrisk.page_parts import PageFiles
from revertrisk.page_parts.reasons import Reasons, is_explain_by
from revertrisk.runtime.addresses import is_base_address
from revertrisk.runtime.web_server import json_answer

EARLIER_PREDICTIONS: Final = 1000
"""About how many earlier predictions a page shows when it is opened."""
REFUSALS_AT_ONCE: Final = 200
"""The most refusals in one answer: the newest ones. The page shows a limited number."""


class LivePage:
    """Handlers of ``/_mock/``, ``/_mock/page/…`` and ``/_mock/live``.

    ``diff_base`` is the address of a mock MediaWiki whose diff pages the titles link to; without it they link
    to the wiki that the event names. ``reasons`` asks the servers of the models for explanations.
    ``index_for_programs`` answers ``/_mock/`` to clients that do not accept HTML.
    """

    def __init__(
        self, gate: Gate, *, diff_base: str | None, reasons: Reasons, index_for_programs: Handler
    ) -> None:
        self._gate = gate
        self._reasons = reasons
        self._diff_base = diff_base and diff_base.rstrip("/")
        self._index_for_programs = index_for_programs
        self._files = PageFiles("mock_eventgate", "page")
        self._wikis = served_wikis()
        self._streams = [
            name
            for name, settings in gate.streams.published().items()
            if settings["schema_title"] == PREDICTION_SCHEMA_TITLE
        ]
        self._store = gate.store
        self._epoch = _new_epoch()

    async def index(self, request: web.Request) -> web.StreamResponse:
        """Return the page to a browser, and the list of routes to others."""
        if "text/html" not in request.headers.get(hdrs.ACCEPT, ""):
            response = await self._index_for_programs(request)
            response.headers["Vary"] = "Accept"
            return response
        if not request.path.endswith("/"):  # the page's links to its files are relative to /_mock/
            raise web.HTTPFound(f"{request.path.rpartition('/')[2]}/", headers={"Vary": "Accept"})
        return self._files.index()

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Return one of the page's files."""
        return await self._files.file(request)

    async def replace_explainers(self, request: web.Request) -> web.Response:
        """Replace the servers that are asked for reasons; the body is an object with an address for each model."""
        document = await read_document(request)
        if not is_explain_by(document):
            raise bad_request('body: expected an object such as {"a-model": "http://127.0.0.1:8080"}')
        self._reasons.replace(document)
        return json_answer(document, headers={"Cache-Control": "no-store"})

    async def live(self, request: web.Request) -> web.Response:
        """Return the counts, and the refusals with a sequence number greater than ``after``.

        ``epoch`` changes when the gate is started or emptied. A request with another epoch, or none, also gets
        what a page needs to start: ``since`` is for ``/v2/stream``, in milliseconds since 1970.
        """
        after = integer_parameter(request, "after", 0, 0)
        store, stats = self._gate.store, self._gate.stats
        if store is not self._store:
            self._store, self._epoch = store, _new_epoch()
        is_new = request.query.get("epoch") != self._epoch
        newest = store.refused.next_sequence - 1
        after = max(0 if is_new else after, newest - REFUSALS_AT_ONCE)
        answer: dict[str, Any] = {
            "epoch": self._epoch,
            "accepted": sum(stats.accepted[stream] for stream in self._streams),
            "refused": stats.refused.total(),
            "refusals": [refused.as_json() for refused in store.refused.after(after)],
            "next_after": newest,
            "explains": self._reasons.models,
        }
        if is_new:
            answer |= {
                "streams": self._streams,
                "since": self._since(),
                "diff_base": self._diff_base,
                "wikis": self._wikis,
            }
        return json_answer(answer, headers={"Cache-Control": "no-store"})

    def _since(self) -> int:
        produced = self._gate.store.produced
        newest = produced.after(produced.next_sequence - 1 - EARLIER_PREDICTIONS)
        return max(0, min((event.timestamp for event in newest), default=0))


def served_wikis() -> dict[str, list[str]]:
    """Return the wikis of each shipped model that does not serve all wikis.

    They are read from the metadata files, since importing `revertrisk.scoring` would need numpy.
    """
    found = {}
    for folder in files("revertrisk").joinpath("scoring", "artifacts").iterdir():
        metadata = json.loads(folder.joinpath("metadata.json").read_bytes())
        if metadata["supported_wikis"] is not None:
            found[folder.name] = metadata["supported_wikis"]
    return found


def check_diff_base(text: str) -> None:
    """Check that a text is the base address of a mock MediaWiki.

    Raises:
        ValueError: it is not an http or https address.

    """
    if not is_base_address(text):
        raise ValueError(f"diff_base: expected an address such as http://127.0.0.1:8193, not {text!r}")


def _new_epoch() -> str:
    return uuid4().hex
