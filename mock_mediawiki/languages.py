"""How a language is marked in HTML: its ``lang`` and its direction."""

from typing import Final, Literal

_RTL: Final = frozenset(
    {"ar", "arc", "ary", "arz", "azb", "ckb", "dv", "fa", "glk", "he", "ks", "lrc", "mzn", "nqo", "pnb", "ps", "sd",
     "skr", "ug", "ur", "yi"}
)  # fmt: skip
_SIMPLE: Final = {"simple": "en"}


def is_rtl(language: str) -> bool:
    """Return whether a wiki's language is written from right to left."""
    return language in _RTL


def direction(language: str) -> Literal["ltr", "rtl"]:
    """Return the ``dir`` of a text in a wiki's language."""
    return "rtl" if is_rtl(language) else "ltr"


def html_language(language: str) -> str:
    """Return the ``lang`` of a text in a wiki's language: Simple English is English."""
    return _SIMPLE.get(language, language)
