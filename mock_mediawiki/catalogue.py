"""The categories of a wiki: those that the latest texts of its pages put them in."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mock_mediawiki.namespaces import category_prefixes, normalised_title
from revertrisk.wiki.history import History, StoredPage
from revertrisk.wiki.table import Wiki


class Member(NamedTuple):
    """A page in a category; members compare in the order in which a wiki lists them."""

    sort_key: bytes
    page_id: int
    page: StoredPage


class Catalogue:
    """The categories of a history's wikis, read when a wiki is first asked for one: from each page's latest text."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._members: dict[str, dict[str, list[Member]]] = {}

    def members(self, wiki: Wiki, category: str) -> Sequence[Member]:
        """Return the pages in a category, in order; its title is given without the prefix, with spaces."""
        if wiki.wiki_id not in self._members:
            self._members[wiki.wiki_id] = self._read_categories(wiki)
        return self._members[wiki.wiki_id].get(category, [])

    def _read_categories(self, wiki: Wiki) -> dict[str, list[Member]]:
        link = _category_link(category_prefixes(wiki))
        members: defaultdict[str, dict[int, Member]] = defaultdict(dict)
        for page in self._history.pages(wiki.wiki_id):
            title = page.title if page.namespace_id == 0 else page.title.partition(":")[2]
            for category, prefix in self._categories(page, link):
                # MediaWiki sorts by the key of the link, then by the title; capital and small letters are alike.
                sort_key = f"{prefix}\n{title}" if prefix else title
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
