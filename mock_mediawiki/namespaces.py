"""What the namespaces that every wiki has are called, in English and in the languages of the sample pages.

https://www.mediawiki.org/wiki/Help:Namespaces lists the numbers; a wiki's ``meta=siteinfo`` tells its names. On a
wiki of another language the English names stand, which every wiki understands as well.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

from revertrisk.wiki.table import Wiki

CATEGORY: Final = 14

_ENGLISH: Final = "en"
_WITH_SUBPAGES: Final = frozenset({1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15})
_CANONICAL_PROJECT: Final = {4: "Project", 5: "Project talk"}
_CATEGORY_ALIASES: Final = {
    "ja": ("カテゴリ",),
    "yue": ("分類", "分类", "類", "类"),
    "zh": ("分類", "分类"),
}


def namespace_names(wiki: Wiki) -> dict[int, str]:
    """Return the names of a wiki's namespaces by their number; 0 has the empty name."""
    return {0: "", **_names(wiki.language)}


def canonical_names() -> dict[int, str]:
    """Return the names that every wiki understands, by their number, 0 left out."""
    return _names(_ENGLISH) | _CANONICAL_PROJECT


def category_prefixes(wiki: Wiki) -> tuple[str, ...]:
    """Return the words that begin the title of a category on a wiki, its own name first."""
    own = namespace_names(wiki)[CATEGORY]
    return tuple(dict.fromkeys((own, canonical_names()[CATEGORY], *_CATEGORY_ALIASES.get(wiki.language, ()))))


def namespaces(wiki: Wiki) -> dict[str, dict[str, Any]]:
    """Return ``siprop=namespaces`` of a wiki."""
    canonical = canonical_names()
    shown: dict[str, dict[str, Any]] = {}
    for number, name in sorted(namespace_names(wiki).items()):
        entry: dict[str, Any] = {
            "id": number,
            "case": "first-letter",
            "name": name,
            "subpages": number in _WITH_SUBPAGES,
        }
        if number in canonical:
            entry["canonical"] = canonical[number]
        shown[str(number)] = entry | {"content": number == 0, "nonincludable": False}
    return shown


@cache
def _names(language: str) -> dict[int, str]:
    """Return the names of a language's Wikipedia, or of the English one."""
    known = json.loads(files("mock_mediawiki").joinpath("namespaces.json").read_text("utf-8"))
    return {int(number): name for number, name in known.get(language, known[_ENGLISH]).items()}
