"""Finds which earlier edits an edit reverts; the mock's events and the labels use the same rule."""

from collections.abc import Sequence
from itertools import islice
from typing import Final

SEARCH_RADIUS: Final = 15
"""The most edits that one edit reverts in MediaWiki (``$wgManualRevertSearchRadius``)."""
TEXTS_COMPARED: Final = SEARCH_RADIUS + 1
"""The number of earlier texts for that; an edit with the same text as the newest of them is a null edit."""


def reverted_edits(sha1: str | None, earlier: Sequence[str | None]) -> int:
    """Return how many of the edits just before an edit it reverts, or 0.

    ``earlier`` has the hashes of the texts before it on its page, by (timestamp, rev_id), newest first. A hash that is
    None or empty is unknown and equals no other; the hash of the empty text is an ordinary one. The rule is MediaWiki's
    ``EditResultBuilder::detectManualRevert``: the newest equal one of 15 texts, without the text just before the edit.
    """
    if not sha1 or not earlier or earlier[0] == sha1:
        return 0
    return next(
        (count for count, other in enumerate(islice(earlier, TEXTS_COMPARED)) if other == sha1),
        0,
    )
