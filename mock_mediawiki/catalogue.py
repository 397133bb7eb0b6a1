"""The categories of a wiki, read from the latest texts of its pages."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mock_mediawiki.namespaces import category_prefixes, normalised_title
from revertrisk.wiki.history import History, StoredPage
from revertrisk.wiki.table import Wiki


class Member(NamedTuple):
    """A page in a category. Members sort in the order in which a wiki lists them."""

    sort_key: bytes
    page_id: int
    page: StoredPage


class Catalogue:
    """The categories of a history's wikis. Those of a wiki are read from its pages at its first request."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._members: dict[str, dict[str, list[Member]]] = {}

    def members(self, wiki: Wiki, category: str) -> Sequence[Member]:
        """Return the pages in a category, in order; ``category`` has no prefix, and spaces for underscores."""
        if wiki.wiki_id not in self._members:
            self._members[wiki.wiki_id] = self._read_categories(wiki)
        return self._members[wiki.wiki_id].get(category, [])

    def _read_categories(self, wiki: Wiki) -> dict[str, list[Member]]:
        link = _category_link(category_prefixes(wiki))
        members: defaultdict[str, dict[int, Member]] = defaultdict(dict)
        for page in self._history.pages(wiki.wiki_id):
            title = page.title if page.namespace_id == 0 else page.title.partition(":")[2]
            for category, prefix in self._categories(page, link):
                # MediaWiki sorts by the key of the link, then by the title, without regard to case.
                sort_key = f"{prefix}\n{title}" if prefix else title
                # If a page links to a category twice, the last link counts.
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
    """Return a text without its comments, and without the contents of ``<nowiki>`` and ``<pre>``."""
    kept, start, at = [], 0, 0
    # As in MediaWiki, an element that is not closed is text. Its closing tag is searched only once, since a search
    # for each of many unclosed elements would take quadratic time.
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
