"""A mock MediaWiki: the Action API and the page_change events of sample pages, or of any XML export.

`listening` serves one in the running loop, `run` is the program ``revertrisk mock-mediawiki``, and `page_changes`
yields the same history as events.
"""

from mock_mediawiki.api import ActionApi
from mock_mediawiki.app import create_app, listening, run
from mock_mediawiki.page_changes import page_changes, write_page_changes
from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.exports.reader import ExportError
from revertrisk.wiki.history import History

__all__ = [
    "ActionApi",
    "ExportError",
    "History",
    "SampleHistory",
    "create_app",
    "listening",
    "page_changes",
    "run",
    "write_page_changes",
]
