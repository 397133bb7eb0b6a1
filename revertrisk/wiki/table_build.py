"""Makes the wiki table from Wikimedia's canonical list of wikis.

``python -m revertrisk.wiki.table_build wikis.tsv`` writes ``revertrisk/wiki/wikis.json``. The input is the
tab-separated ``wikis.tsv`` of Wikimedia's canonical data, of which six columns are read. The output has one wiki a
line, sorted by id, so that a new or closed wiki changes one line of a diff.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from revertrisk.wiki.table import WikiTable

COLUMNS: Final = ("database_code", "domain_name", "language_code", "database_group", "status", "visibility")
_VALUES: Final = {"status": ("open", "closed"), "visibility": ("public", "private")}


def table_text(rows: Iterable[Mapping[str, str]]) -> str:
    """Return the text of a wiki table (JSON) from rows of the canonical list.

    Raises:
        ValueError: a row lacks a column, has an unknown status or visibility, or repeats a wiki.

    """
    lines: dict[str, str] = {}
    for row in rows:
        wiki_id = row.get("database_code") or "a row"
        for column in COLUMNS:
            if not row.get(column):
                raise ValueError(f"{wiki_id} has no {column}")
        for column, values in _VALUES.items():
            if row[column] not in values:
                raise ValueError(f"{wiki_id}: {column} must be one of {', '.join(values)}")
        if wiki_id in lines:
            raise ValueError(f"{wiki_id} occurs twice")
        entry: dict[str, str | bool] = {
            "domain": row["domain_name"],
            "language": row["language_code"],
            "family": row["database_group"],
        }
        if row["status"] == "closed":
            entry["closed"] = True
        if row["visibility"] == "private":
            entry["private"] = True
        lines[wiki_id] = f"{json.dumps(wiki_id)}: {json.dumps(entry, ensure_ascii=False)}"
    return "{\n" + ",\n".join(lines[wiki_id] for wiki_id in sorted(lines)) + "\n}\n"


def main(arguments: list[str] | None = None) -> None:
    """Run the command: read the list, write the table, check that it loads."""
    parser = argparse.ArgumentParser(
        prog="python -m revertrisk.wiki.table_build",
        description="Make the wiki table from the list of wikis.",
    )
    parser.add_argument("tsv", type=Path, help="wikis.tsv of Wikimedia's canonical data")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("wikis.json"))
    options = parser.parse_args(arguments)
    try:
        with options.tsv.open(encoding="utf-8", newline="") as file:
            # The list has no quoting: a quotation mark is an ordinary character.
            text = table_text(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        options.output.write_text(text, encoding="utf-8")
        count = len(WikiTable.load(options.output))
    except (OSError, ValueError) as exc:
        parser.exit(1, f"{options.tsv}: {exc}\n")
    sys.stdout.write(f"{options.output}: {count} wikis\n")


if __name__ == "__main__":
    main()
