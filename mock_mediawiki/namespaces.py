"""How titles are spelled, and what namespaces are called, in English and in the languages of the sample pages.

https://www.mediawiki.org/wiki/Help:Namespaces lists the numbers. On a wiki of another language the English names
stand, which every wiki understands as well.
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
    """Return the words that begin the title of a category on a wiki, its own name first."""
    own = namespace_names(wiki)[CATEGORY]
    return tuple(dict.fromkeys((own, _names(_ENGLISH)[CATEGORY], *_CATEGORY_ALIASES.get(wiki.language, ()))))


def normalised_title(text: str) -> str:
    """Return the title that a text means: spaces for underscores, one at a time, and a capital at the start."""
    spaced = " ".join(text.replace("_", " ").split())
    return spaced[:1].upper() + spaced[1:]


@cache
def _names(language: str) -> dict[int, str]:
    """Return the names of a language's Wikipedia, or of the English one."""
    known = json.loads(files("mock_mediawiki").joinpath("namespaces.json").read_text("utf-8"))
    return {int(number): name for number, name in known.get(language, known[_ENGLISH]).items()}
