"""The frame of an HTML page: a small style sheet, light and dark. The page loads nothing from other hosts."""

from html import escape
from typing import Final, Literal

from aiohttp import web

_STYLE: Final = """
:root { color-scheme: light dark; --text: #202122; --dim: #54595d; --back: #fff; --line: #c8ccd1; --link: #36c;
  --del: #ffe9e5; --del-strong: #ffb3a5; --ins: #e3f5ea; --ins-strong: #93dcb1; }
@media (prefers-color-scheme: dark) {
  :root { --text: #eaecf0; --dim: #a2a9b1; --back: #101418; --line: #404244; --link: #88a3e8;
    --del: #3d1a15; --del-strong: #8a2c1d; --ins: #0f2e1f; --ins-strong: #16633f; }
}
body { margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem; color: var(--text); background: var(--back);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.2rem; }
a { color: var(--link); } .dim { color: var(--dim); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; } dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: start; color: var(--dim); }
th, td { text-align: start; vertical-align: top; padding: .15rem .5rem; border-bottom: 1px solid var(--line); }
td.number, td.sign { color: var(--dim); font-family: ui-monospace, monospace; white-space: nowrap; width: 1%; }
td.text { white-space: pre-wrap; overflow-wrap: anywhere; font-family: ui-monospace, monospace; font-size: .9rem; }
tr.removed td.text { background: var(--del); } tr.added td.text { background: var(--ins); }
del, ins { text-decoration: none; border-radius: 2px; }
del { background: var(--del-strong); } ins { background: var(--ins-strong); }
.alone del, .alone ins { background: none; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.note { border-inline-start: 4px solid var(--line); padding-inline-start: .75rem; }
"""
_RTL: Final = frozenset(
    {"ar", "arc", "ary", "arz", "azb", "ckb", "dv", "fa", "glk", "he", "ks", "lrc", "mzn", "nqo", "pnb", "ps", "sd",
     "skr", "ug", "ur", "yi"}
)  # fmt: skip
_SIMPLE: Final = {"simple": "en"}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def html_page(title: str, body: str, *, status: int = 200) -> web.Response:
    """Return a page in English; ``title`` is plain text, ``body`` is HTML."""
    text = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
    return web.Response(status=status, text=text, content_type="text/html", headers=_HEADERS)


def direction(language: str) -> Literal["ltr", "rtl"]:
    """Return the HTML attribute ``dir`` of a text in a wiki's language."""
    return "rtl" if language in _RTL else "ltr"


def html_language(language: str) -> str:
    """Return the HTML attribute ``lang`` of a text in a wiki's language; Simple English is English."""
    return _SIMPLE.get(language, language)
