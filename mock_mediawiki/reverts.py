"""Recognises edits that restore an earlier text of their page, as MediaWiki does when it saves one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from revertrisk.wiki.history import ChangeKind, EarlierText, Part, RevertMethod, StoredRevision

SEARCH_RADIUS: Final = 15
"""How many earlier revisions MediaWiki looks at (``$wgManualRevertSearchRadius``)."""

_TAGS: Final = {"mw-rollback": RevertMethod.ROLLBACK, "mw-undo": RevertMethod.UNDO}
_ROLLBACK_COMMENT: Final = re.compile(
    r"Reverted (?:\d+ )?edits? by .+ to (?:the )?last (?:revision|version) by "
)
_UNDO_COMMENT: Final = re.compile(r"(?:Undid|Undo) revision \d+ by ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revert:
    """Which revision an edit restored, and the range that it undid, both ends included."""

    method: RevertMethod
    original: EarlierText
    oldest_reverted: EarlierText
    newest_reverted: EarlierText


def find_revert(revision: StoredRevision, preceding: Sequence[EarlierText]) -> Revert | None:
    """Return what an edit reverts, given up to ``SEARCH_RADIUS`` revisions before it, newest first.

    An edit that changes nothing reverts nothing. A hidden text takes no part: equal hashes would tell it.
    """
    if revision.kind is not ChangeKind.EDIT or revision.sha1 is None or Part.TEXT in revision.hidden:
        return None
    if not preceding or preceding[0].sha1 == revision.sha1:
        return None
    for newer, original in pairwise(preceding):
        if original.sha1 == revision.sha1:
            return Revert(
                method=_method(revision),
                original=original,
                oldest_reverted=newer,
                newest_reverted=preceding[0],
            )
    return None


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
