"""Parts that our web pages share: files, the Content-Security-Policy, messages, and the reasons for a risk.

The JavaScript modules import one another by name, so a page serves the shared ones beside its own.
"""

from importlib.resources import files
from pathlib import Path, PurePath
from typing import Final

import orjson
from aiohttp import web

from revertrisk.page_parts.messages import NAME, fill_in, read_messages

CONTENT_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
INDEX: Final = "index.html"
_HEADERS: Final = {
    # With Trusted Types the browser refuses to make HTML from a string, so the content of events is always text.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}


def page_files(package: str, folder: str) -> dict[str, bytes]:
    """Return the files of a page by their names: those in a folder of a package, and the shared parts."""
    folders = files(__package__), files(package).joinpath(folder)
    return {
        entry.name: entry.read_bytes()
        for place in folders
        for entry in place.iterdir()
        if PurePath(entry.name).suffix in CONTENT_TYPES
    }


class PageFiles:
    """Serves the files of one page, with a policy that allows only the page's own files."""

    def __init__(self, package: str, folder: str, translation: Path | None = None) -> None:
        """Read the files; raises MessagesError if the translation cannot be used."""
        messages = read_messages(translation)
        self._files = page_files(package, folder)
        self._files[INDEX] = fill_in(self._files[INDEX], messages)
        self._files[NAME] = orjson.dumps(messages)

    def index(self) -> web.Response:
        """Return the HTML of the page."""
        return self._answer(INDEX)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Return the file with the ``name`` in the route; raises HTTPNotFound."""
        if request.match_info["name"] not in self._files:
            raise web.HTTPNotFound
        return self._answer(request.match_info["name"])

    def _answer(self, name: str) -> web.Response:
        content_type = CONTENT_TYPES[PurePath(name).suffix]
        return web.Response(
            body=self._files[name], content_type=content_type, charset="utf-8", headers=_HEADERS
        )
