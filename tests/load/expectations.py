"""The events of a real page's history, and what must become of each by the texts themselves.

Nothing here asks the server's code: a revision is scorable if it has a parent whose text is another one.
"""

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from mock_mediawiki.app import open_history
from mock_mediawiki.page_changes import page_changes
from revertrisk.wiki.history import History
from revertrisk.wiki.table import WikiTable

Event = dict[str, Any]

PRODUCED = "produced"
MOST_UNSCORABLE = 60
"""Unscorable revisions of the history itself that are taken along."""
COPIES_OF_EACH_KIND = 3
NEVER_TOO_OLD = timedelta(hours=1)
"""Events are dated ahead by this much: a revision that is invisible for a while is then never called missing."""


@dataclass(frozen=True, slots=True)
class Expected:
    """An event to dispatch, and the outcome that it must have in the end."""

    event: Event
    outcome: str

    @property
    def key(self) -> tuple[str, int, str]:
        """Wiki, revision and kind: with the model's name and version this is a prediction's natural key."""
        return self.event["wiki_id"], self.event["revision"]["rev_id"], self.event["page_change_kind"]


def _set(*path: str, to: Any) -> Callable[[Event], None]:
    def change(event: Event) -> None:
        for name in path[:-1]:
            event = event[name]
        event[path[-1]] = to

    return change


def _to_wiki(wiki_id: str, domain: str) -> Callable[[Event], None]:
    def change(event: Event) -> None:
        event["wiki_id"] = wiki_id
        event["meta"]["domain"] = domain

    return change


def _to_missing_revision(event: Event) -> None:
    event["revision"]["rev_id"] += 10**12
    event["meta"]["dt"] = "2020-01-01T00:00:00Z"
    del event["prior_state"]


UNSCORABLE: dict[str, Callable[[Event], None]] = {
    "unknown_wiki": _to_wiki("evilwiki", "evil.wikipedia.org"),
    "not_wikipedia": _to_wiki("commonswiki", "commons.wikimedia.org"),
    "page_change_kind": _set("page_change_kind", to="delete"),
    "namespace": _set("page", "namespace_id", to=1),
    "redirect": _set("page", "is_redirect", to=True),
    "revision_hidden": _set("revision", "is_content_visible", to=False),
    "parent_hidden": _set("prior_state", "revision", "is_content_visible", to=False),
    "content_model": _set("revision", "content_slots", "main", "content_model", to="json"),
    "too_large": _set("revision", "rev_size", to=10**9),
    "revision_missing": _to_missing_revision,
}
"""What makes an event of a scorable revision unscorable, by the reason that it must then have."""


def real_history(dump: Path, scorable: int) -> list[Expected]:
    """Return the events of an export's first scorable revisions, and unscorable ones of every reason."""
    wikis = WikiTable.load()
    expected: list[Expected] = []
    left = {PRODUCED: scorable, "": MOST_UNSCORABLE}
    with open_history(dump, wikis) as history:
        for event in page_changes(history, wikis):
            outcome = _by_the_texts(history, event)
            sort = outcome if outcome == PRODUCED else ""
            if left[sort]:
                left[sort] -= 1
                expected.append(Expected(_dated(event), outcome))
            if not any(left.values()):
                break
    if left[PRODUCED]:
        raise ValueError(f"the export has only {scorable - left[PRODUCED]} scorable revisions")
    return expected + list(_made_unscorable(expected))


def _by_the_texts(history: History, event: Event) -> str:
    """Say what must become of an event, by reading its revision's text and that of its parent."""
    revision = history.revision(event["wiki_id"], event["revision"]["rev_id"])
    assert revision is not None
    if revision.is_redirect:
        return "skipped:redirect"
    parent = history.revision(event["wiki_id"], revision.parent_id) if revision.parent_id else None
    if parent is None:
        return "skipped:no_parent"
    return "skipped:null_edit" if history.text(revision) == history.text(parent) else PRODUCED


def _dated(event: Event) -> Event:
    event["meta"]["dt"] = (datetime.now(UTC) + NEVER_TOO_OLD).isoformat()
    return event


def _made_unscorable(expected: list[Expected]) -> Iterator[Expected]:
    originals = [item.event for item in expected if item.outcome == PRODUCED]
    numbers = count()
    for reason, change in UNSCORABLE.items():
        for _ in range(COPIES_OF_EACH_KIND):
            number = next(numbers)
            event = copy.deepcopy(originals[number])
            change(event)
            event["meta"]["id"] = f"00000000-0000-4000-8000-{number:012}"
            yield Expected(event, f"skipped:{reason}")


def write_shuffled(expected: list[Expected], file: Path, seed: int) -> None:
    """Write the events as JSON lines in an order that the seed decides."""
    events = [item.event for item in expected]
    random.Random(seed).shuffle(events)  # noqa: S311 - chance that repeats is what is wanted
    file.write_bytes(b"".join(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in events))
