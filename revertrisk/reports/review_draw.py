"""Draws edits for people to judge and writes the sheet: links to diffs, without scores.

Edits are drawn from strata by score band and kind of user, the same number from each while there are any, so that
high scores and small groups are judged often enough. A key file has the score and the stratum of each edit. It is
stored next to the sheet, and the people who judge must not see it.
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
"""The limits of the score bands. A score that equals a limit belongs to the band above it."""
COLUMNS: Final = ("item", "diff", "judgement", "note")
JUDGEMENTS: Final = ("damaging", "good", "unsure")
_GROUPS: Final = tuple(
    "registered" if number in REGISTERED else name for number, name in enumerate(USER_KINDS)
)


@dataclass(frozen=True, slots=True)
class Stratum:
    """The edits of one score band and kind of user."""

    band: int
    kind: str
    size: int
    """The number of edits in the stratum, drawn or not."""


@dataclass(frozen=True, slots=True)
class Item:
    """One edit on the sheet."""

    item: int
    rev_id: int
    stratum: int
    """An index into `SheetKey.strata`."""
    probability: float


@dataclass(frozen=True, slots=True)
class SheetKey:
    """The key of a sheet: where its edits come from, and the score and the stratum of each."""

    model_name: str
    model_version: str
    wiki_id: str
    strata: tuple[Stratum, ...]
    items: tuple[Item, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the key as JSON values."""
        return {"format": KEY_FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "SheetKey":
        """Return the key from JSON values; raises KeyError or TypeError if it is not one."""
        return cls(
            content["model_name"],
            content["model_version"],
            content["wiki_id"],
            tuple(Stratum(**each) for each in content["strata"]),
            tuple(Item(**each) for each in content["items"]),
        )


def draw(scored: Scored, number: int, chance: np.random.Generator) -> SheetKey:
    """Draw ``number`` edits of one wiki: one from each stratum in turn, until there are enough or no more."""
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
    # In random order: the order of the strata would show which scores are high.
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
    return SheetKey(
        scored.model.model_name,
        scored.model.model_version,
        wiki_id,
        tuple(stratum for stratum, _ in queues),
        items,
    )


def write_sheet(path: Path, key: SheetKey, *, overwrite: bool = False) -> tuple[Path, Path, Path]:
    """Write the sheet as CSV and as HTML, and its key next to it; return the three paths.

    Raises:
        FileExistsError: one of them exists, and ``overwrite`` is false. Nothing is written then.
        OSError: one of them cannot be written.
        ValueError: the wiki is not in the wiki table.

    """
    wiki = WikiTable.load().by_id(key.wiki_id)
    if wiki is None:
        raise ValueError(f"{key.wiki_id} is not in the wiki table, so there are no addresses for its diffs")
    links = {each.item: f"https://{wiki.domain}/w/index.php?diff={each.rev_id}" for each in key.items}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((item, link, "", "") for item, link in links.items())
    sheet, page, key_file = path, path.with_suffix(".html"), key_of(path)
    for each in (sheet, page, key_file):
        if each.exists() and not overwrite:
            raise FileExistsError(f"{each} exists; --force overwrites the sheet, the page and the key")
    sheet.write_text(text.getvalue(), encoding="utf-8")
    page.write_text(_page(key.wiki_id, sheet.name, links), encoding="utf-8")
    key_file.write_text(json.dumps(key.to_json(), indent=1), encoding="utf-8")
    return sheet, page, key_file


def key_of(sheet: Path) -> Path:
    """Return the path of the key of a sheet."""
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
<p>Look at each edit and write damaging, good or unsure into the column <i>judgement</i> of {escape(sheet)}.
Judge the edit, not its author. Leave the cell empty for an edit that you did not look at.</p>
<ol>
{rows}
</ol>
</body>
</html>
"""
