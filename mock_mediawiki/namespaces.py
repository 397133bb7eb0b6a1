"""The spelling of titles, and the names of namespaces in English and in the languages of the sample pages.

https://www.mediawiki.org/wiki/Help:Namespaces lists the numbers. Wikis of other languages use the English names here,
which every wiki accepts as well.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Final

from revertrisk.wiki.table import Wiki

CATEGORY: Final = 14

_ENGLISH: Final = "en"
_CATEGORY_ALIASES: Final = {
    "ja": ("カテゴリ",),
    "yue": ("分類", "分类", "類", "类"),
    "zh": ("分類", "分类"),
}


def namespace_names(wiki: Wiki) -> dict[int, str]:
    """Return the names of a wiki's namespaces by their number; 0 has the empty name."""
    return {0: "", **_names(wiki.language)}


def category_prefixes(wiki: Wiki) -> tuple[str, ...]:
    """Return the prefixes of a category's title on a wiki, the one in the wiki's language first."""
    own = namespace_names(wiki)[CATEGORY]
    return tuple(dict.fromkeys((own, _names(_ENGLISH)[CATEGORY], *_CATEGORY_ALIASES.get(wiki.language, ()))))


def normalised_title(text: str) -> str:
    """Return a title in its normal form: single spaces for underscores, and a capital letter at the start."""
    spaced = " ".join(text.replace("_", " ").split())
    return spaced[:1].upper() + spaced[1:]


@cache
def _names(language: str) -> dict[int, str]:
    """Return the namespace names of a language's Wikipedia, or the English ones if they are not known."""
    known = json.loads(files("mock_mediawiki").joinpath("namespaces.json").read_text("utf-8"))
    return {int(number): name for number, name in known.get(language, known[_ENGLISH]).items()}
