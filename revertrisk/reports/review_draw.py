"""Draws edits for people to judge, and writes the sheet: links to diffs, and nothing that tells the score.

Edits are drawn by score band and kind of user, as many of each as there are, so that high scores and small groups are
judged often enough. What an edit then stands for is in a key beside the sheet, which is not for those who judge.
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

import numpy as np

from revertrisk.reports.lake_edits import Scored
from revertrisk.reports.watched import REGISTERED, USER_KINDS
from revertrisk.wiki.table import WikiTable

KEY_FORMAT: Final = "revertrisk-review-key/1"
BANDS: Final = (0.0, 0.5, 0.65, 0.8, 0.9, 1.0)
"""Ends of the score bands; a score belongs to the band that it is not below."""
COLUMNS: Final = ("item", "diff", "judgement", "note")
JUDGEMENTS: Final = ("damaging", "good", "unsure")
_GROUPS: Final = tuple(
    "registered" if number in REGISTERED else name for number, name in enumerate(USER_KINDS)
)


@dataclass(frozen=True, slots=True)
class Stratum:
    """Edits of one score band and kind of user."""

    band: int
    kind: str
    size: int
    """All edits of it, drawn or not."""


@dataclass(frozen=True, slots=True)
class Item:
    """One edit of the sheet."""

    item: int
    rev_id: int
    stratum: int
    """A place in the draw's strata."""
    probability: float


@dataclass(frozen=True, slots=True)
class Draw:
    """A sheet's key."""

    model_name: str
    model_version: str
    wiki_id: str
    strata: tuple[Stratum, ...]
    items: tuple[Item, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the key as JSON values."""
        return {"format": KEY_FORMAT, **asdict(self)}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Draw":
        """Read a key; raises KeyError or TypeError where it is none."""
        return cls(
            content["model_name"],
            content["model_version"],
            content["wiki_id"],
            tuple(Stratum(**each) for each in content["strata"]),
            tuple(Item(**each) for each in content["items"]),
        )


def draw(scored: Scored, number: int, chance: np.random.Generator) -> Draw:
    """Draw edits of one wiki: from each stratum one in turn, until there are enough."""
    watched = scored.watched
    band = np.clip(np.searchsorted(BANDS, watched.probability, side="right") - 1, 0, len(BANDS) - 2)
    names = sorted(set(_GROUPS))
    group = np.array([names.index(each) for each in _GROUPS])[watched.kind]
    queues: list[tuple[Stratum, list[int]]] = []
    for place in range(len(BANDS) - 1):
        for kind, name in enumerate(names):
            members = np.flatnonzero((band == place) & (group == kind))
            if len(members):
                queue = chance.permutation(members)[:number].tolist()
                queues.append((Stratum(place, name, len(members)), queue))
    chosen: list[tuple[int, int]] = []
    while len(chosen) < number and any(queue for _, queue in queues):
        for stratum, (_, queue) in enumerate(queues):
            if queue and len(chosen) < number:
                chosen.append((stratum, queue.pop()))
    # In the order of the strata the sheet would tell the scores.
    order = chance.permutation(len(chosen))
    items = tuple(
        Item(
            place + 1,
            int(watched.rev_id[chosen[each][1]]),
            chosen[each][0],
            float(watched.probability[chosen[each][1]]),
        )
        for place, each in enumerate(order)
    )
    (wiki_id,) = watched.wikis
    return Draw(
        scored.model.model_name,
        scored.model.model_version,
        wiki_id,
        tuple(stratum for stratum, _ in queues),
        items,
    )


def write_sheet(path: Path, drawn: Draw) -> tuple[Path, Path, Path]:
    """Write the sheet as CSV and HTML and its key beside it; returns the three files.

    Raises:
        OSError: one of them cannot be written.
        ValueError: the wiki is not in the wiki table.

    """
    wiki = WikiTable.load().by_id(drawn.wiki_id)
    if wiki is None:
        raise ValueError(f"{drawn.wiki_id} is not in the wiki table: its diffs have no address")
    links = {each.item: f"https://{wiki.domain}/w/index.php?diff={each.rev_id}" for each in drawn.items}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((item, link, "", "") for item, link in links.items())
    sheet, page, key = path, path.with_suffix(".html"), key_of(path)
    sheet.write_text(text.getvalue(), encoding="utf-8")
    page.write_text(_page(drawn.wiki_id, sheet.name, links), encoding="utf-8")
    key.write_text(json.dumps(drawn.to_json(), indent=1), encoding="utf-8")
    return sheet, page, key


def key_of(sheet: Path) -> Path:
    """Return where a sheet's key is."""
    return sheet.with_suffix(".key.json")


def _page(wiki_id: str, sheet: str, links: Mapping[int, str]) -> str:
    rows = "\n".join(
        f'<li value="{item}"><a href="{escape(link)}" rel="noreferrer" target="_blank">{escape(link)}</a></li>'
        for item, link in links.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Edits of {escape(wiki_id)} to judge</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.6 system-ui, sans-serif; margin: 0 auto; max-width: 45rem; padding: 1rem }}
li {{ overflow-wrap: anywhere }}
</style>
</head>
<body>
<h1>Edits of {escape(wiki_id)} to judge</h1>
<p>Look at each edit, and write into the column <i>judgement</i> of {escape(sheet)}: damaging, good or unsure.
Judge the edit and not its author. Leave out what you did not look at.</p>
<ol>
{rows}
</ol>
</body>
</html>
"""
