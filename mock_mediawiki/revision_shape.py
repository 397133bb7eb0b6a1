"""The form of a revision in an answer: the properties in ``rvprop`` or ``arvprop``, without hidden parts."""

from typing import Any, Final

from mock_mediawiki.parameters import ApiError, Parameters
from revertrisk.wiki.history import History, Part, StoredRevision, StoredUser
from revertrisk.wiki.user_kinds import UserKind

_PROPS: Final = (
    "comment", "content", "contentmodel", "flags", "ids", "sha1", "size", "tags", "timestamp", "user", "userid",
)  # fmt: skip
_DEFAULT_PROPS: Final = "ids|timestamp|flags|comment|user"


class RevisionShape:
    """One request's ``rvprop`` and ``rvslots``, or those of another module with another ``prefix`` than ``rv``.

    Raises:
        ApiError: they select only slots other than ``main``.

    """

    def __init__(
        self, history: History, parameters: Parameters, *, module: str = "revisions", prefix: str = "rv"
    ) -> None:
        self._history = history
        self._props = parameters.known_values(module, f"{prefix}prop", _PROPS, _DEFAULT_PROPS)
        self.has_content = "content" in self._props
        slots = parameters.values(f"{prefix}slots")
        if slots and not {"main", "*"} & set(slots):
            raise ApiError("badvalue", f'The only slot here is "main": {prefix}slots=main.')
        self._has_slots = bool(slots)
        self._needs_slot = bool({"content", "contentmodel"} & self._props)
        if self._needs_slot and not slots:
            parameters.warn(
                module,
                f'Because "{prefix}slots" was not specified, a legacy format has been used for the output. This format '
                "is deprecated, and in the future the new format will always be used.",
            )

    def entry(self, revision: StoredRevision) -> dict[str, Any]:
        """Return a revision's entry in an answer, with its text if it was requested."""
        slot = self._main_slot(revision) if self._needs_slot else {}
        facts: dict[str, dict[str, Any]] = {
            "ids": {"revid": revision.rev_id, "parentid": revision.parent_id},
            "flags": {"minor": revision.is_minor},
            "timestamp": {"timestamp": revision.timestamp},
            "size": {"size": revision.size or 0},
            "sha1": {"sha1hidden": True}
            if Part.TEXT in revision.hidden
            else {"sha1": _hexadecimal(revision.sha1)},
            "comment": {"commenthidden": True}
            if Part.COMMENT in revision.hidden
            else {"comment": revision.comment or ""},
            "tags": {"tags": list(revision.tags)},
        }
        entry: dict[str, Any] = {}
        for prop, shown in facts.items():
            if prop in self._props:
                entry |= shown
        if {"user", "userid"} & self._props:
            entry |= {"userhidden": True} if Part.USER in revision.hidden else self._author(revision.user)
        if self._needs_slot:
            entry |= {"slots": {"main": slot}} if self._has_slots else slot
        marks = {"userhidden", "sha1hidden", "commenthidden", "texthidden"}
        if revision.is_suppressed and marks & (entry.keys() | slot.keys()):
            entry["suppressed"] = True
        return entry

    def _author(self, user: StoredUser | None) -> dict[str, Any]:
        if user is None:  # a wiki always has a user; an export may lack it
            return {}
        author: dict[str, Any] = {"user": user.name} if "user" in self._props else {}
        if user.kind is UserKind.TEMPORARY:
            author["temp"] = True
        if user.user_id == 0:
            author["anon"] = True
        if "userid" in self._props:
            author["userid"] = user.user_id
        return author

    def _main_slot(self, revision: StoredRevision) -> dict[str, Any]:
        slot: dict[str, Any] = {}
        if "contentmodel" in self._props:
            slot["contentmodel"] = revision.content_model
        if not self.has_content:
            return slot
        if Part.TEXT in revision.hidden:
            return slot | {"texthidden": True}
        text = self._history.text(revision)
        if text is None:
            return slot | {"textmissing": True}
        return slot | {
            "contentmodel": revision.content_model,
            "contentformat": revision.content_format,
            "content": text,
        }


def _hexadecimal(sha1: str | None) -> str:
    """Return a hash in hexadecimal, as the API shows it; events and tables have base 36."""
    return "" if sha1 is None else f"{int(sha1, 36):040x}"
