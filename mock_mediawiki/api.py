"""The part of MediaWiki's Action API that serving revisions takes: ``action=query``.

https://www.mediawiki.org/wiki/API:Query and API:Revisions describe it. Supported are ``prop=revisions|info``,
``list=users`` and ``formatversion=2``; what is not supported is refused or warned of, never silently different.
"""

from typing import Any, Final

from event_platform.wikis import Wiki
from mock_mediawiki.history import History, Page
from mock_mediawiki.page_set import PageSet, read_page_set
from mock_mediawiki.parameters import Parameters
from mock_mediawiki.revision_query import RevisionQuery

RESULT_LIMIT: Final = 12_582_912
"""Bytes of values in one answer on Wikimedia's wikis (``$wgAPIMaxResultSize``)."""

_USER_PROPS: Final = ("editcount", "registration", "groups")


class ActionApi:
    """Answers requests about the wikis of a history.

    ``result_limit`` is how many bytes of values an answer may hold before the rest is left to ``rvcontinue``.
    """

    def __init__(self, history: History, *, result_limit: int = RESULT_LIMIT) -> None:
        self._history = history
        self._result_limit = result_limit

    def answer(self, wiki: Wiki, parameters: Parameters) -> dict[str, Any]:
        """Answer one request.

        :raises ApiError: if MediaWiki would refuse it, or the mock cannot answer as MediaWiki would.
        """
        parameters.choice("format", ("json",))
        parameters.choice("formatversion", ("2", "latest"))
        parameters.choice("action", ("query",))
        props = parameters.known_values("query", "prop", ("info", "revisions"))
        lists = parameters.known_values("query", "list", ("users",))
        finished = set((parameters.text("continue") or "").rpartition("||")[2].split("|"))
        page_set = read_page_set(self._history, wiki.wiki_id, parameters)
        entries = {page.page_id: _entry(page) for page in page_set.pages.values()}
        answer: dict[str, Any] = {"batchcomplete": True}
        if "revisions" in props - finished:
            query = RevisionQuery(self._history, parameters, self._result_limit)
            if (rest := query.fill(page_set, entries)) is not None:
                others = "|".join(sorted(props - {"revisions"}))
                answer = {"continue": {"rvcontinue": rest, "continue": f"||{others}"}}
        if "info" in props - finished:
            for page in page_set.pages.values():
                entries[page.page_id] |= self._info(wiki, page)
        body = _body(page_set, entries)
        if "users" in lists:
            body["users"] = self._users(wiki, parameters)
        if body:
            answer["query"] = body
        parameters.warn_of_others()
        if parameters.warnings:
            answer["warnings"] = parameters.warnings
        return answer

    def _info(self, wiki: Wiki, page: Page) -> dict[str, Any]:
        latest = self._history.revision(page.wiki_id, page.latest_rev_id)
        if latest is None:  # a page of an export that has no revision
            return {"pagelanguage": wiki.language}
        info: dict[str, Any] = {
            "contentmodel": latest.content_model,
            "pagelanguage": wiki.language,
            "touched": latest.timestamp,
            "lastrevid": latest.rev_id,
            "length": latest.size or 0,
        }
        if latest.is_redirect:
            info["redirect"] = True
        if latest.parent_id == 0:
            info["new"] = True
        return info

    def _users(self, wiki: Wiki, parameters: Parameters) -> list[dict[str, Any]]:
        props = parameters.known_values("users", "usprop", _USER_PROPS)
        return [self._user(wiki, name.replace("_", " "), props) for name in parameters.values("ususers")]

    def _user(self, wiki: Wiki, name: str, props: set[str]) -> dict[str, Any]:
        user = self._history.user(wiki.wiki_id, name)
        if user is None:
            return {"name": name, "missing": True}
        entry: dict[str, Any] = {"userid": user.user_id, "name": user.name}
        facts = {"editcount": user.edit_count, "registration": user.registered, "groups": user.groups}
        # A wiki knows these of every account; an export does not, and then they are left out.
        return entry | {prop: value for prop, value in facts.items() if prop in props and value is not None}


def _body(page_set: PageSet, entries: dict[int, dict[str, Any]]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if page_set.normalized:
        body["normalized"] = page_set.normalized
    if page_set.bad_rev_ids:
        body["badrevids"] = {
            str(rev_id): {"revid": rev_id, "missing": True} for rev_id in page_set.bad_rev_ids
        }
    if page_set.missing or entries:
        body["pages"] = [*page_set.missing, *entries.values()]
    return body


def _entry(page: Page) -> dict[str, Any]:
    return {"pageid": page.page_id, "ns": page.namespace_id, "title": page.title}
