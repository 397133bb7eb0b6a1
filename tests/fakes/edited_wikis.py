"""Wikis for the edge cases: many plain edits to take one after the other, and a page for each special case.

Every title, comment, user name and text holds ``MARKER``, which must never show in a log or an error.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import yaml

from mock_mediawiki.api import ActionApi
from mock_mediawiki.app import create_app
from mock_mediawiki.page_changes import page_changes
from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.table import WikiTable
from tests.fakes.loopback import serving

Event = dict[str, Any]

MARKER = "Zinnober"
AUTHOR = f"{MARKER}rot"
BOT = f"{MARKER}Bot"
TEMPORARY = "~2026-90210-7"
PATROLLER = f"{MARKER} Patrol"
USERS: Mapping[str, Mapping[str, Any]] = {
    AUTHOR: {"kind": "registered", "user_id": 4711, "edit_count": 12, "registered": datetime(2020, 1, 1, tzinfo=UTC)},
    BOT: {"kind": "registered", "user_id": 4712, "edit_count": 90_000, "groups": ["bot"]},
    PATROLLER: {"kind": "registered", "user_id": 4713, "edit_count": 900, "groups": ["patroller"]},
    TEMPORARY: {"kind": "temporary", "user_id": 4714, "edit_count": 1, "groups": ["temp"]},
}  # fmt: skip
BEFORE = f"== {MARKER} ==\nThe village was first named in 1321.\n"
AFTER = BEFORE + "It has had a school since 1875.<ref>Chronicle, p. 4</ref>\n"
LARGEST = 20_000
"""Bytes of text from which on the servers of these tests refuse a revision."""
PLAIN_PAGES = 250

CREATION, DELETED_PARENT, FOREIGN_PARENT, HIDDEN_PARENT, MOVED, REDIRECT, JSON_PAGE, LARGE, EMPTY, BLANK = (
    range(100_001, 100_011)
)
HISTORY, BY_BOT, BY_TEMPORARY, REVERT, UNDELETED, EMOJI, HIDDEN_TEXT, ANONYMOUS = range(100_011, 100_019)
SUPPRESSED, YOUNG_WITHOUT_PARENT = range(100_019, 100_021)
"""The special pages, by page_id."""
LONG_TITLE = "\u0627" * 100 + "🙂" * 12 + "ßé" + "e\u0301"
"""255 bytes: right to left, beyond the basic plane, and not in Unicode's composed form at the end."""


def _revision(rev_id: int, second: int = 0, **changes: Any) -> dict[str, Any]:
    revision = {
        "rev_id": rev_id,
        "timestamp": datetime(2024, 1, 2, 0, 0, second, tzinfo=UTC),
        "user": AUTHOR,
        "comment": f"{MARKER} school",
        "label": "good",
        "text": AFTER,
    } | changes
    return {name: value for name, value in revision.items() if value is not None}


def _past(rev_id: int, **changes: Any) -> dict[str, Any]:
    timestamp = datetime(2024, 1, 1, tzinfo=UTC)
    past: dict[str, Any] = {"background": True, "text": BEFORE, "label": None, "timestamp": timestamp}
    return _revision(rev_id, **past | changes)


def _page(page_id: int, *revisions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"page_id": page_id, "title": f"{MARKER} {page_id}", "revisions": list(revisions)} | changes


def _edited(page_id: int, parent: Mapping[str, Any] | None = None, **edit: Any) -> dict[str, Any]:
    """A page with one edit, and its parent as the past."""
    return _page(page_id, _past(parent_of(page_id), **parent or {}), _revision(edit_of(page_id), **edit))


def parent_of(page_id: int) -> int:
    return 1000 * page_id


def edit_of(page_id: int) -> int:
    return 1000 * page_id + 1


def _special_pages() -> list[dict[str, Any]]:
    return [
        _page(CREATION, _revision(edit_of(CREATION))),
        _edited(DELETED_PARENT) | {"title": f"{MARKER} of a deleted parent"},
        _edited(FOREIGN_PARENT, text=AFTER + "It is closed."),
        _edited(HIDDEN_PARENT, {"hidden": ["text"]}),
        _page(
            MOVED,
            _past(parent_of(MOVED)),
            _revision(edit_of(MOVED), kind="move", moved_from=f"{MARKER} as it was", text=None, label=None),
        ),
        _edited(REDIRECT, text=f"#REDIRECT [[{MARKER}]]"),
        _edited(JSON_PAGE) | {"content_model": "json"},
        _edited(LARGE, text=AFTER + "x" * LARGEST),
        _edited(EMPTY, text=""),
        _edited(BLANK, text=" \n\t\n "),
        _page(
            HISTORY,
            _past(parent_of(HISTORY)),
            *(_revision(edit_of(HISTORY) + number, number, text=AFTER + str(number)) for number in range(3)),
        ),
        _edited(BY_BOT, user=BOT),
        _edited(BY_TEMPORARY, user=TEMPORARY),
        _page(
            REVERT,
            _past(parent_of(REVERT)),
            _revision(edit_of(REVERT), background=True, label=None),
            _revision(edit_of(REVERT) + 1, 1, user=PATROLLER, text=BEFORE, revert_method="undo"),
        ),
        _edited(UNDELETED, kind="undelete", label=None),
        _edited(EMOJI) | {"title": LONG_TITLE},
        _edited(HIDDEN_TEXT, hidden=["text"]),
        _edited(ANONYMOUS, user="192.0.2.99"),
        _edited(SUPPRESSED, hidden=["text", "user", "comment", "suppressed"]),
        _edited(YOUNG_WITHOUT_PARENT),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class EditedWikis:
    """A running mock MediaWiki, and the page_change events of what happened there."""

    url: str
    events: Mapping[tuple[str, int], Event]
    """By wiki and revision."""
    plain: Iterator[int]
    """Pages that no test has touched yet."""

    def event(self, page_id: int, wiki_id: str = "enwiki") -> Event:
        """Return a copy of the event of a page's edit."""
        return self.of(edit_of(page_id), wiki_id)

    def of(self, rev_id: int, wiki_id: str = "enwiki") -> Event:
        """Return a copy of the event of a revision."""
        return copy.deepcopy(self.events[wiki_id, rev_id])

    def plain_edit(self) -> Event:
        """Return the event of an edit that nobody has delivered yet."""
        return self.event(next(self.plain))


OTHER_WIKIS = ("zh_yuewiki", "be_x_oldwiki", "testwiki", "nowiki", "dewiki", "nds_nlwiki", "simplewiki")


@contextmanager
def serving_edited_wikis(plain_pages: int = PLAIN_PAGES) -> Iterator[EditedWikis]:
    """Serve the wikis while the context lasts."""
    table = WikiTable.load()
    pages = {"enwiki": [_edited(number) for number in range(1, plain_pages + 1)] + _special_pages()}
    pages |= {wiki_id: [_edited(1)] for wiki_id in OTHER_WIKIS}
    parents = {
        DELETED_PARENT: 999_999_999,
        YOUNG_WITHOUT_PARENT: 999_999_998,
        FOREIGN_PARENT: edit_of(CREATION),
    }
    for page in pages["enwiki"]:
        if page["page_id"] in parents:
            page["revisions"][1]["parent"] = parents[page["page_id"]]
    history = SampleHistory.read(
        (
            (
                wiki_id,
                yaml.safe_dump({"wiki_id": wiki_id, "users": USERS, "pages": of_wiki}, allow_unicode=True),
            )
            for wiki_id, of_wiki in pages.items()
        ),
        table,
    )
    events = {
        (event["wiki_id"], event["revision"]["rev_id"]): event for event in page_changes(history, table)
    }
    with serving(create_app(ActionApi(history), table, "enwiki")) as url:
        yield EditedWikis(url, events, iter(range(1, plain_pages + 1)))
