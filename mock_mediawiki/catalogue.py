"""Every page of a wiki in the order of its titles, and the categories that their latest texts put them in."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mock_mediawiki.namespaces import category_prefixes
from revertrisk.wiki.history import History, StoredPage
from revertrisk.wiki.table import Wiki
from revertrisk.wiki.titles import normalised_title


@dataclass(frozen=True, slots=True)
class Listed:
    """A page, the title under which lists sort it (with underscores, without its namespace), and one more fact."""

    page: StoredPage
    key: str
    is_redirect: bool


class Member(NamedTuple):
    """A page in a category; members compare in the order in which a wiki lists them."""

    sort_key: bytes
    page_id: int
    page: StoredPage


class Catalogue:
    """The pages and categories of a history's wikis, read once a wiki, when they are first asked for.

    The categories of a wiki take reading the latest text of each of its pages.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._listed: dict[str, list[Listed]] = {}
        self._members: dict[str, dict[str, list[Member]]] = {}

    def pages(self, wiki_id: str) -> Sequence[Listed]:
        """Return every page of a wiki, sorted by namespace and key."""
        if wiki_id not in self._listed:
            listed = map(self._describe, self._history.pages(wiki_id))
            self._listed[wiki_id] = sorted(listed, key=lambda entry: (entry.page.namespace_id, entry.key))
        return self._listed[wiki_id]

    def members(self, wiki: Wiki, category: str) -> Sequence[Member]:
        """Return the pages in a category, in order; its title is given without the prefix, with spaces."""
        if wiki.wiki_id not in self._members:
            self._members[wiki.wiki_id] = self._read_categories(wiki)
        return self._members[wiki.wiki_id].get(category, [])

    def _describe(self, page: StoredPage) -> Listed:
        latest = self._history.revision(page.wiki_id, page.latest_rev_id)
        title = page.title if page.namespace_id == 0 else page.title.partition(":")[2]
        return Listed(page, title.replace(" ", "_"), is_redirect=latest is not None and latest.is_redirect)

    def _read_categories(self, wiki: Wiki) -> dict[str, list[Member]]:
        link = _category_link(category_prefixes(wiki))
        members: defaultdict[str, dict[int, Member]] = defaultdict(dict)
        for listed in self.pages(wiki.wiki_id):
            page = listed.page
            for category, prefix in self._categories(page, link):
                # MediaWiki sorts by the key of the link, then by the title; capital and small letters are alike.
                sort_key = (
                    f"{prefix}\n{listed.key.replace('_', ' ')}" if prefix else listed.key.replace("_", " ")
                )
                # Of two links to the same category the last one counts.
                members[category][page.page_id] = Member(sort_key.upper().encode(), page.page_id, page)
        return {category: sorted(of.values()) for category, of in members.items()}

    def _categories(self, page: StoredPage, link: re.Pattern[str]) -> Iterator[tuple[str, str]]:
        latest = self._history.revision(page.wiki_id, page.latest_rev_id)
        if latest is None or latest.content_model != "wikitext":
            return
        text = _only_wikitext(self._history.text(latest) or "")
        for found in link.finditer(text):
            if category := normalised_title(found["title"]):
                yield category, (found["key"] or "").strip()


_OPENING = re.compile(r"<!--|<(nowiki|pre)\b[^<>]*>", re.ASCII | re.IGNORECASE)
_CLOSINGS = {name: re.compile(rf"</{name}\s*>", re.ASCII | re.IGNORECASE) for name in ("nowiki", "pre")} | {
    None: re.compile(r"-->|\Z")
}


def _only_wikitext(text: str) -> str:
    """Return a text without its comments, and without what is in ``<nowiki>`` and ``<pre>``."""
    kept, start, at = [], 0, 0
    # As MediaWiki does: an element that is not closed is text, and its end is not looked for a second time.
    unclosed = set()
    while opening := _OPENING.search(text, at):
        name = opening[1] and opening[1].lower()
        at = opening.end()
        closing = None if name in unclosed else _CLOSINGS[name].search(text, at)
        if closing is None:
            unclosed.add(name)
            continue
        kept.append(text[start : opening.start()])
        start = at = closing.end()
    return "".join([*kept, text[start:]])


def _category_link(prefixes: Sequence[str]) -> re.Pattern[str]:
    names = "|".join(re.escape(prefix).replace(r"\ ", "[ _]") for prefix in prefixes)
    return re.compile(
        rf"\[\[[ _]*(?:{names})[ _]*:(?P<title>[^\[\]|\n]+)(?:\|(?P<key>[^\[\]\n]*))?\]\]", re.IGNORECASE
    )
