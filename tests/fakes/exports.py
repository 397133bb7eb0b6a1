"""MediaWiki XML exports, written in a few words."""

from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

START = datetime(2026, 3, 1, tzinfo=UTC)
HIDDEN = '<text bytes="500" deleted="deleted" />'


def revision(
    rev_id: int,
    text: str = "Text.",
    *,
    parent: int | None = None,
    hours: float | None = None,
    user: str = "Ann",
    element: str | None = None,
    contributor: str | None = None,
    more: str = "",
) -> str:
    """Return a ``<revision>``, saved so many hours after `START`; ``element`` stands in the place of the text."""
    moment = START + timedelta(hours=rev_id if hours is None else hours)
    is_address = user[0].isdigit()
    author = (
        f"<ip>{user}</ip>" if is_address else f"<username>{escape(user)}</username><id>{3 + len(user)}</id>"
    )
    return (
        f"<revision><id>{rev_id}</id>"
        + ("" if parent is None else f"<parentid>{parent}</parentid>")
        + f"<timestamp>{moment:%Y-%m-%dT%H:%M:%SZ}</timestamp>"
        + (f"<contributor>{author}</contributor>" if contributor is None else contributor)
        + f"{more}<comment>c</comment>"
        + (f'<text xml:space="preserve">{escape(text)}</text>' if element is None else element)
        + "</revision>"
    )


def chain(*texts: str, users: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ") -> str:
    """Return revisions with these texts, an hour apart, each the parent of the next and by another user."""
    return "".join(
        revision(number, text, parent=number - 1 or None, user=f"U{users[number % len(users)]}")
        for number, text in enumerate(texts, start=1)
    )


def page(
    revisions: str, *, page_id: int = 1, title: str = "Mühle", namespace_id: int = 0, more: str = ""
) -> str:
    """Return a ``<page>``."""
    head = f"<title>{escape(title)}</title><ns>{namespace_id}</ns><id>{page_id}</id>"
    return f"<page>{head}{more}{revisions}</page>"


def export_of(*pages: str, version: str = "0.11", site: str = "<dbname>dewiki</dbname>") -> str:
    """Return an export of these pages."""
    return (
        f'<mediawiki xmlns="http://www.mediawiki.org/xml/export-{version}/" version="{version}" xml:lang="de">'
        f"<siteinfo>{site}</siteinfo>{''.join(pages)}</mediawiki>"
    )


def later(page_id: int = 99) -> str:
    """Return a page whose only edit makes all others mature."""
    return page(revision(9_000, "Ende.", hours=1_000), page_id=page_id, title=f"Später {page_id}")
