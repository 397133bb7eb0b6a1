"""The HTML page that shows what one revision changed."""

import asyncio
from collections.abc import Iterable
from html import escape
from typing import Final

from aiohttp import web

from mock_mediawiki.fault_board import WikiFaultBoard
from mock_mediawiki.pages.html_page import direction, html_language, html_page
from mock_mediawiki.pages.line_diff import DiffLine, LineKind, Piece, line_diff
from mock_mediawiki.parameters import whole_number
from revertrisk.wiki.history import History, Part, StoredRevision
from revertrisk.wiki.table import Wiki, WikiTable

_MAX_ROWS: Final = 2_000
_SIGNS: Final = {
    LineKind.SAME: '<span class="unseen">unchanged</span>',
    LineKind.REMOVED: '<span aria-hidden="true">−</span><span class="unseen">removed</span>',
    LineKind.ADDED: '<span aria-hidden="true">+</span><span class="unseen">added</span>',
}
_ELEMENTS: Final = {LineKind.SAME: "span", LineKind.REMOVED: "del", LineKind.ADDED: "ins"}


class DiffRoutes:
    """The handler of ``/_mock/diff/<wiki_id>/<rev_id>``."""

    def __init__(self, history: History, wikis: WikiTable, board: WikiFaultBoard) -> None:
        self._history = history
        self._wikis = wikis
        self._board = board

    async def mock_diff(self, request: web.Request) -> web.Response:
        """Return the diff of a revision against its parent; the Host header is ignored."""
        wiki = self._wikis.by_id(request.match_info["wiki_id"])
        if wiki is None:
            return _not_found("There is no wiki with this id.")
        view = self._board.view(self._history, wiki.wiki_id)
        revision = _revision(view, wiki, request.match_info["rev_id"])
        if revision is None:
            return _not_found(f"{wiki.wiki_id} has no such revision.")
        earlier = view.revision(wiki.wiki_id, revision.parent_id) if revision.parent_id else None
        problem = _problem(view, revision, earlier)
        if problem is None:
            before = "" if earlier is None else view.text(earlier) or ""
            # In a thread: comparing two large texts can take a second.
            stretches = await asyncio.to_thread(line_diff, before, view.text(revision) or "")
            changes = _changes(wiki, stretches)
        else:
            changes = f'<p class="note">{escape(problem)}</p>\n'
        title = f"{revision.page_title}: revision {revision.rev_id}"
        return html_page(title, _body(wiki, revision, earlier, changes))


def _revision(view: History, wiki: Wiki, rev_id: str) -> StoredRevision | None:
    try:
        return view.revision(wiki.wiki_id, whole_number(rev_id))
    except ValueError:
        return None


def _problem(view: History, revision: StoredRevision, earlier: StoredRevision | None) -> str | None:
    """Return the reason why there is no diff, or None if there is one."""
    if Part.TEXT in revision.hidden:
        return "The text of this revision is hidden."
    if view.text(revision) is None:
        return "The text of this revision is lost."
    if earlier is None:
        return (
            f"The earlier revision, {revision.parent_id}, is missing, so the change cannot be shown."
            if revision.parent_id
            else None
        )
    if Part.TEXT in earlier.hidden:
        return "The text of the earlier revision is hidden, so the change cannot be shown."
    return None if view.text(earlier) is not None else "The text of the earlier revision is lost."


def _body(wiki: Wiki, revision: StoredRevision, earlier: StoredRevision | None, changes: str) -> str:
    title = _foreign(wiki, revision.page_title)
    created = "" if revision.parent_id else "<p>This revision created the page.</p>\n"
    return (
        f'<header>\n<p class="dim">{escape(wiki.domain)} (<code>{escape(wiki.wiki_id)}</code>), '
        "as the mock MediaWiki has it</p>\n"
        f"<h1>{title}</h1>\n</header>\n<main>\n{created}<dl>\n"
        f"{_described(wiki, 'Before', earlier)}{_described(wiki, 'After', revision)}</dl>\n"
        f"<h2>What changed</h2>\n{changes}</main>\n"
    )


def _described(wiki: Wiki, name: str, revision: StoredRevision | None) -> str:
    if revision is None:
        return f"<dt>{name}</dt><dd>nothing</dd>\n"
    user: str | None = None if revision.user is None else revision.user.name
    if Part.USER in revision.hidden:
        author = "<em>user name hidden</em>"
    else:
        author = "<em>user unknown</em>" if user is None else _foreign(wiki, user)
    if Part.COMMENT in revision.hidden:
        comment = "<em>comment hidden</em>"
    else:
        comment = _foreign(wiki, revision.comment) if revision.comment else "<em>no comment</em>"
    link = f"/_mock/diff/{escape(wiki.wiki_id)}/{revision.rev_id}"
    minor = " · minor edit" if revision.is_minor else ""
    return (
        f'<dt>{name}</dt><dd><a href="{link}">revision {revision.rev_id}</a> · '
        f'<time datetime="{revision.timestamp}">{revision.timestamp}</time> · {author}{minor} · {comment}</dd>\n'
    )


def _changes(wiki: Wiki, stretches: list[list[DiffLine]]) -> str:
    if not stretches:
        return '<p class="note">Nothing: the two texts are equal.</p>\n'
    rows: list[str] = []
    for stretch in stretches:
        if rows:
            rows.append('<tr><td colspan="4" class="dim">…</td></tr>\n')
        rows.extend(_row(wiki, line) for line in stretch[: _MAX_ROWS - len(rows)])
        if len(rows) >= _MAX_ROWS:
            rows.append(
                f'<tr><td colspan="4" class="dim">Only the first {_MAX_ROWS} lines are shown.</td></tr>\n'
            )
            break
    return (
        '<div class="wide">\n<table>\n<caption>Lines removed and added, with the lines around them</caption>\n'
        '<thead><tr><th scope="col">Before</th><th scope="col">After</th><th scope="col">Change</th>'
        f'<th scope="col">Text</th></tr></thead>\n<tbody>\n{"".join(rows)}</tbody>\n</table>\n</div>\n'
    )


def _row(wiki: Wiki, line: DiffLine) -> str:
    alone = " alone" if len(line.pieces) == 1 and line.pieces[0].is_changed else ""
    return (
        f'<tr class="{line.kind}{alone}"><td class="number">{line.before or ""}</td>'
        f'<td class="number">{line.after or ""}</td><td class="sign">{_SIGNS[line.kind]}</td>'
        f'<td class="text" {_marked(wiki)}>{_pieces(line.pieces, _ELEMENTS[line.kind])}</td></tr>\n'
    )


def _pieces(pieces: Iterable[Piece], element: str) -> str:
    return "".join(
        f"<{element}>{escape(piece.text)}</{element}>" if piece.is_changed else escape(piece.text)
        for piece in pieces
    )


def _foreign(wiki: Wiki, text: str) -> str:
    """Mark a text as one in the wiki's language; its own direction cannot affect the text around it."""
    return f"<bdi {_marked(wiki)}>{escape(text)}</bdi>"


def _marked(wiki: Wiki) -> str:
    return f'lang="{escape(html_language(wiki.language))}" dir="{direction(wiki.language)}"'


def _not_found(reason: str) -> web.Response:
    body = f"<main>\n<h1>Not found</h1>\n<p>{escape(reason)}</p>\n</main>\n"
    return html_page("Not found", body, status=404)
