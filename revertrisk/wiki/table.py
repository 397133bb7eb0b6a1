"""The wiki table: the ids, domains and languages of wikis, and whether their edits are scored.

A wiki is identified by its ``wiki_id``. Its domain and language are looked up here, and never derived from a name:
``zh_yuewiki`` has the domain zh-yue.wikipedia.org and the language ``yue``.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Self

from revertrisk.runtime.json_documents import JsonFileError, read_json_file

SCORABLE_FAMILIES: Final = frozenset({"wikipedia", "test", "test2"})
"""The families whose open and public wikis are scored, and can be found by language code and subdomain."""

ALIASES: Final = {"be-x-old": "be_x_oldwiki", "nb": "nowiki"}
"""Names in use that are neither the language code nor the subdomain of their wiki."""

PAGE_LANGUAGES: Final = {
    "bho": "bhwiki",
    "cbk": "cbk_zamwiki",
    "cbk-x-zam": "cbk_zamwiki",
    "egl": "emlwiki",
    "en-simple": "simplewiki",
    "ike": "iuwiki",
    "jv-x-bms": "map_bmswiki",
    "nap-x-tara": "roa_tarawiki",
    "nrf": "nrmwiki",
}
"""Page languages of MediaWiki (``LanguageCode::bcp47``, language variants) whose first part is not the wiki's name.
Other codes are found by removing their variants: ``zh-hans-cn``, ``sr-el``, ``en-gb``."""

MAX_HOST: Final = 253
"""The most characters of a host name (RFC 1035)."""
_LANGUAGE_CODE: Final = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{1,8}){0,7}")


class WikiTableError(ValueError):
    """A wiki table cannot be used; the message names the file and the entry."""


@dataclass(frozen=True, slots=True)
class Wiki:
    """One wiki. ``family`` is its group in Wikimedia's canonical data, ``wikipedia`` for a Wikipedia."""

    wiki_id: str
    domain: str
    language: str
    family: str
    is_open: bool
    is_public: bool

    @property
    def is_scorable(self) -> bool:
        """True for an open and public Wikipedia, and for testwiki and test2wiki."""
        return self.is_open and self.is_public and self.family in SCORABLE_FAMILIES


class WikiTable:
    """All wikis, by id, domain and other names.

    Raises:
        WikiTableError: two wikis have the same id or domain.

    """

    def __init__(self, wikis: Iterable[Wiki]) -> None:
        self._by_id: dict[str, Wiki] = {}
        self._by_domain: dict[str, Wiki] = {}
        for wiki in wikis:
            if wiki.wiki_id in self._by_id:
                raise WikiTableError(f"{wiki.wiki_id} occurs twice")
            if (other := self._by_domain.get(wiki.domain)) is not None:
                raise WikiTableError(f"{wiki.wiki_id} and {other.wiki_id} have the same domain")
            self._by_id[wiki.wiki_id] = wiki
            self._by_domain[wiki.domain] = wiki
        self._by_name = self._names()

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a table from a file, or the shipped one.

        The file is a JSON object of wiki ids, each with ``domain``, ``language`` and ``family``, and with
        ``"closed": true`` or ``"private": true`` where they apply.

        Raises:
            WikiTableError: the file cannot be read or an entry is invalid.

        """
        file = path if path is not None else files("revertrisk.wiki").joinpath("wikis.json")
        try:
            entries, _ = read_json_file(file)
        except JsonFileError as exc:
            raise WikiTableError(f"{file}: {exc}") from exc
        if not isinstance(entries, dict) or not entries:
            raise WikiTableError(f"{file}: must be a JSON object with an entry for each wiki")
        try:
            return cls(_wiki(wiki_id, entry) for wiki_id, entry in entries.items())
        except WikiTableError as exc:
            raise WikiTableError(f"{file}: {exc}") from exc

    def __iter__(self) -> Iterator[Wiki]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def by_id(self, wiki_id: str) -> Wiki | None:
        """Return the wiki with an id, exactly as written, or None."""
        return self._by_id.get(wiki_id)

    def by_domain(self, domain: str) -> Wiki | None:
        """Return the wiki at a domain, in any letter case, or None."""
        return self._by_domain.get(domain.lower())

    def by_name(self, name: str) -> Wiki | None:
        """Return the wiki for the ``lang`` of a request, in any letter case, or None.

        A wiki id finds any wiki. A language code, a subdomain (with ``-`` or ``_``) or an alias finds a Wikipedia,
        open or closed, or a test wiki. If two wikis share a language code, it finds the one with that subdomain:
        ``en`` is enwiki, not testwiki.
        """
        wanted = name.lower()
        return self._by_id.get(wanted) or self._by_name.get(wanted.replace("_", "-"))

    def by_page_language(self, code: str) -> Wiki | None:
        """Return the wiki for a page language, which MediaWiki sends with an edit that is not saved yet.

        In addition to the names of :meth:`by_name` it finds BCP 47 codes and language variants by their language. For a
        language without a wiki it returns a new Wiki without a domain, since such a wiki may be created later. It
        returns None for a text that is not a language code.
        """
        wanted = code.lower().replace("_", "-")
        known = self.by_name(code)
        if known is not None or not _LANGUAGE_CODE.fullmatch(wanted):
            return known
        parts = wanted.split("-")
        for length in range(len(parts), 0, -1):
            name = "-".join(parts[:length])
            found = self._by_id.get(PAGE_LANGUAGES.get(name, "")) or self._by_name.get(name)
            if found is not None:
                return found
        wiki_id = f"{wanted.replace('-', '_')}wiki"
        return self._by_id.get(wiki_id) or Wiki(
            wiki_id, "", wanted, "wikipedia", is_open=True, is_public=True
        )

    def _names(self) -> dict[str, Wiki]:
        named = [wiki for wiki in self._by_id.values() if wiki.family in SCORABLE_FAMILIES]
        names = {name: self._by_id[wiki_id] for name, wiki_id in ALIASES.items() if wiki_id in self._by_id}
        names.update((wiki.language.lower(), wiki) for wiki in named)
        # Last, because a subdomain has priority over a language code.
        names.update((wiki.domain.partition(".")[0], wiki) for wiki in named)
        return names


_WIKI_ID: Final = re.compile(r"[a-z0-9_-]{1,64}")
HOST: Final = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
)
"""A host name in lower case, with a port if it is not the scheme's default; requests are sent to it."""
_WORD: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _wiki(wiki_id: str, entry: Any) -> Wiki:
    if not _WIKI_ID.fullmatch(wiki_id):
        raise WikiTableError(f"{wiki_id[:80]!a} must be a wiki id: lower case, digits, _ and -")
    if not isinstance(entry, dict):
        raise WikiTableError(f"{wiki_id} must be an object")
    if unknown := entry.keys() - {"domain", "language", "family", "closed", "private"}:
        named = ", ".join(ascii(name[:80]).strip("'") for name in sorted(unknown))
        raise WikiTableError(f"{wiki_id} must not have unknown fields: {named}")

    def text(field: str, pattern: re.Pattern[str], expected: str) -> str:
        value = entry.get(field)
        if not isinstance(value, str) or not value:
            raise WikiTableError(f"{wiki_id}: {field} must be a string that is not empty")
        if not pattern.fullmatch(value) or len(value) > MAX_HOST:
            raise WikiTableError(f"{wiki_id}: {field} must be {expected}")
        return value

    def flag(field: str) -> bool:
        value = entry.get(field, False)
        if not isinstance(value, bool):
            raise WikiTableError(f"{wiki_id}: {field} must be true or false")
        return value

    return Wiki(
        wiki_id=wiki_id,
        domain=text("domain", HOST, "a host name in lower case"),
        language=text("language", _WORD, "a language code"),
        family=text("family", _WORD, "a word of letters and digits"),
        is_open=not flag("closed"),
        is_public=not flag("private"),
    )
