"""Where the real data is, which is not part of the project, and what its files are."""

from pathlib import Path
from typing import Final

SHARED: Final = Path(__file__).resolve().parents[3] / "shared"
EDITS: Final = SHARED / "data/edits"
PAGE: Final = "anarchism_enwiki_fullhistory_2001-2010.xml.lzma"
"""The export of one page's whole history."""
PAGE_LABELS: Final = "anarchism_enwiki_history.jsonl.gz"
"""Its edits, and which of them were reverted."""
OLD_PAGES: Final = "enwiki_p1043_history.xml.xz"
"""The export of 24 pages, whose first revisions have ids out of order."""
