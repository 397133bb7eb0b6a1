"""Titles in the one spelling that a wiki stores, and the redirects that lead to them."""

import re
from typing import Final

_WORDS: Final = (
    "REDIRECT",  # understood by every wiki; what follows are the words of some languages
    "ALIDIREKTU", "ALIH", "BIRZUZENDU", "DOORVERWIJZING", "LENCONG", "OHJAUS", "OMDIRIGERING", "OMDIRIGER",
    "OMDIREGER", "PATRZ", "PRZEKIERUJ", "PŘESMĚRUJ", "REDIRECCIÓN", "REDIRECCION", "REDIRECIONAMENTO",
    "REDIRECTEAZA", "REDIRECTION", "REDIRECIONAR", "RINVIA", "RINVIO", "TAM", "VIDERESTILLING", "WEITERLEITUNG",
    "YÖNLENDİRME", "YÖNLENDIR", "ÁTIRÁNYÍTÁS", "ĐỔI", "ΑΝΑΚΑΤΕΥΘΥΝΣΗ", "ПЕРАНАКІРАВАНЬНЕ", "ПЕРЕНАПРАВЛЕНИЕ",
    "ПЕРЕНАПР", "ПЕРЕНАПРАВЛЕННЯ", "ПРЕУСМЕРИ", "виж", "הפניה", "تحويل", "تغییر_مسیر", "تغییرمسیر",
    "पुनर्प्रेषित", "เปลี่ยนทาง", "転送", "リダイレクト", "重定向", "넘겨주기",
)  # fmt: skip

_REDIRECT: Final = re.compile(rf"\s*#(?:{'|'.join(map(re.escape, _WORDS))})\s*(?::\s*)?\[\[", re.IGNORECASE)


def is_redirect(text: str) -> bool:
    """Return whether a wikitext begins with a redirect, in English or in one of the languages known here."""
    return _REDIRECT.match(text) is not None


def normalised_title(text: str) -> str:
    """Return the title that a text means: spaces for underscores, one at a time, and a capital at the start."""
    spaced = " ".join(text.replace("_", " ").split())
    return spaced[:1].upper() + spaced[1:]
