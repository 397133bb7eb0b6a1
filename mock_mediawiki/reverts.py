"""Finds what an edit reverts, as MediaWiki does when it saves an edit that restores an earlier text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from revertrisk.wiki.history import ChangeKind, EarlierText, Part, RevertMethod, StoredRevision
from revertrisk.wiki.reverts import reverted_edits

_TAGS: Final = {"mw-rollback": RevertMethod.ROLLBACK, "mw-undo": RevertMethod.UNDO}
_ROLLBACK_COMMENT: Final = re.compile(
    r"Reverted (?:\d+ )?edits? by .+ to (?:the )?last (?:revision|version) by "
)
_UNDO_COMMENT: Final = re.compile(r"(?:Undid|Undo) revision \d+ by ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revert:
    """The revision that an edit restored, and the range that it reverted, including both ends."""

    method: RevertMethod
    original: EarlierText
    oldest_reverted: EarlierText
    newest_reverted: EarlierText


def find_revert(revision: StoredRevision, preceding: Sequence[EarlierText]) -> Revert | None:
    """Return what an edit reverts; ``preceding`` are up to ``TEXTS_COMPARED`` revisions before it, newest first.

    Only an edit reverts. Hidden texts are not compared, since equal hashes would disclose them.
    """
    if revision.kind is not ChangeKind.EDIT or Part.TEXT in revision.hidden:
        return None
    count = reverted_edits(revision.sha1, [earlier.sha1 for earlier in preceding])
    if not count:
        return None
    return Revert(
        method=_method(revision),
        original=preceding[count],
        oldest_reverted=preceding[count - 1],
        newest_reverted=preceding[0],
    )


def _method(revision: StoredRevision) -> RevertMethod:
    if revision.revert_method is not None:
        return revision.revert_method
    for tag in revision.tags:
        if tag in _TAGS:
            return _TAGS[tag]
    comment = revision.comment or ""
    if _ROLLBACK_COMMENT.match(comment):
        return RevertMethod.ROLLBACK
    if _UNDO_COMMENT.match(comment):
        return RevertMethod.UNDO
    return RevertMethod.MANUAL
