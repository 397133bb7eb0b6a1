"""Readers of the labelled files that hold changed lines instead of whole texts (gzipped JSON lines).

Each reader says which groups of features its file cannot give. They read named fields only, and none of
those in `examples.LEAKS`.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from revert_risk import changes
from revert_risk.feature_table import Group
from revert_risk.features import EditFacts, Features, describe
from revert_risk.revision import UserKind
from revert_risk.training.examples import Dataset, Example, TrainingError

Row = Mapping[str, Any]


def read_normalised_vandalism(path: Path) -> Dataset:
    """Read English edits of 2009, whose label is the vote of annotators and whose text lost its markup.

    Links, brackets, equals signs and full stops are gone from the text, so structure is unknown here. The
    size of the parent is given in bytes, which for English is nearly characters.
    """
    return _read(path, _normalised_features)


def read_raw_vandalism(path: Path) -> Dataset:
    """Read English edits of 2010 close to the natural rate of vandalism, with the raw changed lines."""
    return _read(path, _raw_features)


def read_multilingual_reverts(path: Path) -> Dataset:
    """Read edits of many wikis in July 2022, labelled by identity revert, with sentences and action counts.

    The sentences are plain text, so structure comes from the counts of inserted and removed nodes. An edit
    that has actions but no sentence changed something that the file does not show: its words are unknown.
    """
    return _read(path, _multilingual_features)


def read_labelled(path: Path) -> Dataset:
    """Read a labelled file of any of these formats, told by the fields of its first edit.

    Raise `TrainingError` naming the file if it has none of the formats.
    """
    try:
        with gzip.open(path) as lines:
            first = json.loads(next(lines))
    except (OSError, EOFError, StopIteration, ValueError) as exc:
        raise TrainingError(f"{path.name}: expected gzipped JSON lines") from exc
    for field, reader in _FORMATS.items():
        if isinstance(first, dict) and field in first:
            return reader(path)
    raise TrainingError(f"{path.name}: expected labelled edits with one of the fields {', '.join(_FORMATS)}")


_FORMATS: Mapping[str, Callable[[Path], Dataset]] = {
    "new_lines_words": read_normalised_vandalism,
    "added_lines": read_raw_vandalism,
    "changed_text": read_multilingual_reverts,
}


def _read(path: Path, features: Callable[[Row], Features]) -> Dataset:
    packed = path.read_bytes()
    examples = []
    for number, line in enumerate(gzip.decompress(packed).splitlines(), start=1):
        row: Row = json.loads(line)
        try:
            example = Example(
                features=features(row),
                label=bool(row["label"]),
                page=row["title"],
                user=row["user"],
                wiki_id=row["wiki"],
                is_anonymous=row["anon"],
            )
        except KeyError as exc:
            raise TrainingError(f"{path.name}, line {number}: field {exc} is missing") from None
        examples.append(example)
    name = path.name.removesuffix(".jsonl.gz")
    return Dataset(name, path.name, hashlib.sha256(packed).hexdigest(), tuple(examples))


def _normalised_features(row: Row) -> Features:
    change = changes.of_lines(row["old_lines_words"], row["new_lines_words"], old_length=row["parent_size"])
    # A spreadsheet put this in the place of comments that begin with a sign.
    comment = None if row["comment"] == "#NAME?" else row["comment"]
    facts = EditFacts(user_kind=_user_kind(row), comment=comment)
    return describe(change, facts, lacking=frozenset({Group.MARKUP}))


def _raw_features(row: Row) -> Features:
    change = changes.of_lines(row["deleted_lines"], row["added_lines"])
    kind = _user_kind(row)
    age = None
    if kind is UserKind.REGISTERED and row["user_reg_time"]:
        age = max(0.0, datetime.fromisoformat(row["timestamp"]).timestamp() - float(row["user_reg_time"]))
    facts = EditFacts(
        user_kind=kind,
        user_edit_count=row["user_edit_count"],
        user_age_seconds=age,
        comment=row["comment"],
        is_minor=row["minor"],
        namespace_id=0 if row["namespace"] == "main" else None,
    )
    return describe(change, facts)


_NODES = {
    "references": "Reference",
    "external_links": "ExternalLink",
    "wikilinks": "Wikilink",
    "templates": "Template",
    "categories": "Category",
    "media": "Media",
    "headings": "Heading",
}


def _multilingual_features(row: Row) -> Features:
    changed, actions = row["changed_text"], row["actions"]
    change = changes.of_lines(
        "\n".join([*row["removed_text"], *(old for old, _ in changed)]),
        "\n".join([*row["added_text"], *(new for _, new in changed)]),
    )
    facts = EditFacts(
        user_kind=_user_kind(row),
        comment=row["comment"],
        tags=frozenset(tag.replace("_", " ") for tag in row["edit_tags"]),
    )
    lacking = {Group.MARKUP, Group.REFERENCES}
    if actions and not change.changed_bytes:
        lacking.add(Group.WORDS)
    known = {}
    for name, node in _NODES.items():
        gain = actions.get(f"insert_{node}", 0) - actions.get(f"remove_{node}", 0)
        known[f"{name}_gained"], known[f"{name}_lost"] = float(max(0, gain)), float(max(0, -gain))
    return describe(change, facts, lacking=frozenset(lacking), known=known)


def _user_kind(row: Row) -> UserKind:
    # Temporary accounts came years after these files: whoever was not logged in edited under an address.
    if row["anon"] is None:
        return UserKind.UNKNOWN
    return UserKind.IP if row["anon"] else UserKind.REGISTERED
