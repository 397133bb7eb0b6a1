"""Parts that several web pages share: JavaScript modules and a style sheet, served as they are by whoever has a page.

They import one another by name, so a page serves them beside its own files: `page_files` reads both.
"""

from importlib.resources import files
from pathlib import PurePath
from typing import Final

CONTENT_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
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
