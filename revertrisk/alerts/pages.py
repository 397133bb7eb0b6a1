"""The busiest pages of each series. They are counted by minute for the last hour, before a surge is found."""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from revertrisk.wiki.table import WikiTable

KEPT_MINUTES: Final = 60
MAX_PAGES: Final = 2000
"""The pages of a series in an incident; those with the fewest events are dropped."""

Tally = dict[int, list[Any]]
"""By page id: the number of events, and the last title."""
Key = tuple[str, str]
"""Wiki and quantity."""


class PageTally:
    """The number of events of each page by wiki, quantity and minute, for the last hour."""

    def __init__(self) -> None:
        self._minutes: dict[int, dict[Key, Tally]] = {}

    def add(self, minute: int, key: Key, page_id: int, title: str) -> None:
        """Count an event of a page."""
        tally = self._minutes.setdefault(minute, {}).setdefault(key, {})
        known = tally.get(page_id)
        if known is None:
            tally[page_id] = [1, title]
        else:
            known[0] += 1
            known[1] = title

    def forget_before(self, minute: int) -> None:
        """Drop the minutes that are more than an hour before a minute."""
        for old in [each for each in self._minutes if each < minute - KEPT_MINUTES]:
            del self._minutes[old]

    def forget_title(self, wiki_id: str, page_id: int) -> None:
        """Drop the title of a deleted page."""
        for minute in self._minutes.values():
            for (scope, _), tally in minute.items():
                if scope == wiki_id and page_id in tally:
                    tally[page_id][1] = ""

    def of(self, keys: Iterable[Key], first: int, last: int) -> dict[str, Tally]:
        """Return, by wiki, the pages of some keys from a minute to another, both included."""
        found: dict[str, Tally] = {}
        for minute in range(max(first, last - KEPT_MINUTES), last + 1):
            tallies = self._minutes.get(minute, {})
            for key in keys:
                add_up(found.setdefault(key[0], {}), tallies.get(key, {}))
        return found


def add_up(tally: Tally, more: Tally) -> None:
    """Add the tally ``more`` to another one, of which only the busiest pages are kept."""
    for page_id, (number, title) in more.items():
        known = tally.setdefault(page_id, [0, title])
        known[0] += number
        known[1] = title
    if len(tally) > MAX_PAGES:
        for page_id in sorted(tally, key=lambda each: int(tally[each][0]))[: len(tally) - MAX_PAGES]:
            del tally[page_id]


class PageLinks:
    """Makes links to pages; the hosts come from the wiki table."""

    def __init__(self) -> None:
        self._wikis = WikiTable.load()

    def page(self, wiki_id: str, page_id: int, title: str, number: int) -> dict[str, Any]:
        """Return a page for a message; the link of a page without a title has its id."""
        page: dict[str, Any] = {"wiki_id": wiki_id, "page_id": page_id, "count": number}
        if title:
            page["title"] = title
        wiki = self._wikis.by_id(wiki_id)
        if wiki is not None:
            place = f"wiki/{quote(title, safe='/:')}" if title else f"?curid={page_id}"
            page["url"] = f"https://{wiki.domain}/{place}"
        return page
