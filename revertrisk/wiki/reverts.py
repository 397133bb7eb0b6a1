"""Which earlier edits an edit reverts: one rule for the mock's events and for labels."""

from collections.abc import Sequence
from itertools import islice
from typing import Final

SEARCH_RADIUS: Final = 15
"""How many edits MediaWiki lets one edit revert at most (``$wgManualRevertSearchRadius``)."""
TEXTS_COMPARED: Final = SEARCH_RADIUS + 1
"""How many earlier texts that takes: the first of them stays, because an equal one is a null edit."""


def reverted_edits(sha1: str | None, earlier: Sequence[str | None]) -> int:
    """Return how many of the edits just before it an edit reverts, 0 for none.

    ``earlier`` has the hashes of the texts before it on its page, ordered by (timestamp, rev_id), newest first. A
    hash that is None or empty is unknown and equals nothing; that of the empty text is one like others. The rule is
    ``EditResultBuilder::detectManualRevert``: the newest equal text of 15, the text just before the edit left aside.
    """
    if not sha1 or not earlier or earlier[0] == sha1:
        return 0
    return next(
        (count for count, other in enumerate(islice(earlier, TEXTS_COMPARED)) if other == sha1),
        0,
    )
