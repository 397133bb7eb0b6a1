"""Readers of labelled edits: JSON lines, CSV or TSV, compressed or not, with changed lines or without any text.

Each reader states which groups of features its file does not have. Readers read fields by name. A field with a fact
from after the edit (`examples.is_leak`) is never read.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from revertrisk.runtime.unpacking import PackedFileError, text_lines
from revertrisk.scoring import changes
from revertrisk.scoring.feature_table import Group
from revertrisk.scoring.features import EditFacts, Features, describe
from revertrisk.scoring.training import editquality, own_labels
from revertrisk.scoring.training.examples import Dataset, Example, KnownAtTheEdit, TrainingError, sha256_of
from revertrisk.wiki.user_kinds import UserKind, user_kind

Row = Mapping[str, Any]

_SUFFIXES = (".gz", ".bz2", ".jsonl", ".csv", ".tsv")
"""Suffixes of file names, in the order in which they are removed."""


def read_normalised_vandalism(path: Path) -> Dataset:
    """Read English edits of 2009. Their labels are votes of annotators, and their text has no markup.

    The text has no links, brackets, equals signs and full stops, so its markup is unknown. The size of the parent is
    in bytes, which for English is nearly the number of characters.
    """
    return _read(path, _normalised_features)


def read_raw_vandalism(path: Path) -> Dataset:
    """Read English edits of 2010 near the natural rate of vandalism, with the raw changed lines."""
    return _read(path, _raw_features)


def read_multilingual_reverts(path: Path) -> Dataset:
    """Read edits of many wikis in July 2022, labelled by identity revert, with sentences and counts of actions.

    The sentences are plain text, so markup features come from the counts of inserted and removed nodes. If an edit
    has actions but no sentence, the file does not show what it changed, and its words are unknown.
    """
    return _read(path, _multilingual_features)


def read_page_history(path: Path) -> Dataset:
    """Read the edits of one page with the changed parts of lines, labelled by identity revert.

    Null edits and self-reverts are left out. The file does not have the unchanged parts of changed lines.
    """
    return _read(path, _history_features, keep=lambda row: not row["self_reverted"] and not row["nochange"])


def read_scored_edits(path: Path) -> Dataset:
    """Read edits of many wikis from CSV. Only the label and the anonymous flag are known."""
    return _read(path, _flag_features)


def read_editquality(path: Path) -> Dataset:
    """Read English edits of 2015 at the natural rate, with nine numbers each, labelled by reverts within 48 hours.

    Features are the words inserted and removed, the longest run, the kind of author and the age of the account. A row
    with another number of columns is left out.
    """
    return _read(path, editquality.features_of)


def read_own_labels(path: Path) -> Dataset:
    """Read edits that ``revertrisk label`` labelled, without those whose horizon has not passed."""
    return _read(path, own_labels.features_of, keep=lambda row: row["mature"])


def read_labelled(path: Path, file_format: str | None = None) -> Dataset:
    """Read a labelled file in the format `file_format`, or without it in the one whose fields the first edit has.

    Raises:
        TrainingError: with the name of the file, if it has none of the formats or cannot be read.

    """
    if file_format is not None:
        if file_format not in FORMATS:
            raise TrainingError(f"format: expected one of {', '.join(FORMATS)}")
        return FORMATS[file_format].read(path)
    first = next(_rows(path), {})
    for known in FORMATS.values():
        if known.fields <= first.keys():
            return known.read(path)
    expected = "; ".join(f"{name} has {', '.join(sorted(each.fields))}" for name, each in FORMATS.items())
    raise TrainingError(f"{path.name}: expected labelled edits of one of these formats: {expected}")


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A format of labelled files."""

    fields: frozenset[str]
    """A file whose first edit has all of these fields has this format."""
    read: Callable[[Path], Dataset]


FORMATS: Mapping[str, FileFormat] = {
    "normalised-vandalism": FileFormat(
        frozenset({"new_lines_words", "old_lines_words"}), read_normalised_vandalism
    ),
    "raw-vandalism": FileFormat(frozenset({"added_lines", "deleted_lines"}), read_raw_vandalism),
    "multilingual-reverts": FileFormat(frozenset({"changed_text", "actions"}), read_multilingual_reverts),
    "page-history": FileFormat(frozenset({"inserted_lines", "changed_added"}), read_page_history),
    "scored-edits": FileFormat(
        frozenset({"label_identity_reverted", "user_is_anonymous"}), read_scored_edits
    ),
    "editquality": FileFormat(frozenset({"bot_or_admin", "account_age_seconds"}), read_editquality),
    "own-labels": FileFormat(frozenset({"format", "reverted_after_seconds"}), read_own_labels),
}
"""The formats, by the names that the option ``--format`` accepts."""


def _read(
    path: Path, features: Callable[[Row], Features], keep: Callable[[Row], bool] | None = None
) -> Dataset:
    examples = []
    for number, row in enumerate(_rows(path), start=1):
        try:
            if keep is None or keep(row):
                examples.append(_example(row, features(KnownAtTheEdit(row))))
        except KeyError as exc:
            raise TrainingError(f"{path.name}, edit {number}: field {exc} is missing") from None
        except TrainingError as exc:
            raise TrainingError(f"{path.name}, edit {number}: {exc}") from None
        except (TypeError, ValueError, AttributeError):
            # The value may be personal text, so it is not in the message.
            raise TrainingError(
                f"{path.name}, edit {number}: a field has a value of the wrong type"
            ) from None
    name = path.name
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return Dataset(name, path.name, sha256_of(path), tuple(examples))


def _example(row: Row, features: Features) -> Example:
    if "format" in row:  # own-labels
        page, user, wiki_id = row["page"], row["author"], row["wiki_id"]
    elif "account_age_seconds" in row:  # editquality, which has no page or user either
        page, user, wiki_id = row["revision"], None, "enwiki"
    elif "wiki_db" in row:  # scored-edits
        # The file has no pages, so each edit counts as a page of its own.
        page, user, wiki_id = row["rev_id"], None, row["wiki_db"]
    else:
        page, user, wiki_id = row["title"], row["user"], row["wiki"]
    flag = features.values["user_is_anonymous"]
    # The values of CSV are texts, and "0" as a boolean would be true.
    label = row["label_identity_reverted"] == "1" if "wiki_db" in row else bool(row["label"])
    return Example(
        features=features,
        label=label,
        page=page,
        user=user,
        wiki_id=wiki_id,
        is_anonymous=None if flag is None else bool(flag),
    )


def _rows(path: Path) -> Iterator[Row]:
    """Yield the edits of JSON lines, of CSV with a header or of editquality's TSV, compressed or not."""
    try:
        # Not str.splitlines: it would also split at other line ends of Unicode, inside a text.
        lines = text_lines(path)
        first = next(lines, "")
        if editquality.is_row(first):
            yield from filter(None, map(editquality.row_of, chain([first], lines)))
            return
        if not first.lstrip().startswith("{"):
            yield from csv.DictReader(chain([first], lines))
            return
        # For a line that is not an object, dict(**…) raises one of the errors below.
        yield from (dict(**json.loads(line)) for line in chain([first], lines))
    except PackedFileError as exc:
        raise TrainingError(f"{path.name}: {exc}: expected JSON lines, CSV or TSV, packed or not") from None
    except (ValueError, TypeError, RecursionError, csv.Error):
        raise TrainingError(f"{path.name}: expected JSON lines, CSV or TSV, packed or not") from None


def _normalised_features(row: Row) -> Features:
    change = changes.of_lines(row["old_lines_words"], row["new_lines_words"], old_length=row["parent_size"])
    # A spreadsheet program wrote #NAME? for comments that begin with = or another sign of a formula.
    comment = None if row["comment"] == "#NAME?" else row["comment"]
    facts = EditFacts(user_kind=_user_kind(row), comment=comment)
    return describe(change, facts, missing_groups=frozenset({Group.MARKUP}))


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
        parent_user_kind=user_kind(row["prev_user"]) if row["prev_user"] else UserKind.UNKNOWN,
        namespace_id=0 if row["namespace"] == "main" else None,
    )
    return describe(change, facts)


_CUT = "\u241e"
"""The mark for unchanged text in the changed parts of a line."""


def _history_features(row: Row) -> Features:
    old = "\n".join([*row["removed_lines"], *row["changed_removed"]]).replace(_CUT, " ")
    new = "\n".join([*row["inserted_lines"], *row["changed_added"]]).replace(_CUT, " ")
    facts = EditFacts(user_kind=_user_kind(row), comment=row["comment"], is_minor=row["minor"])
    # The file has the parent's size in bytes, which for English is nearly characters.
    change = changes.of_lines(old, new, old_length=row["parent_size"])
    return describe(change, facts, overrides={"words_kept": None})


def _flag_features(row: Row) -> Features:
    kind = {"0": UserKind.REGISTERED, "1": UserKind.IP}.get(row["user_is_anonymous"], UserKind.UNKNOWN)
    others = frozenset(Group) - {Group.USER}
    return describe(changes.of_lines("", ""), EditFacts(user_kind=kind), missing_groups=others)


_NODES = {
    "references": "Reference",
    "external_links": "ExternalLink",
    "wikilinks": "Wikilink",
    "templates": "Template",
    "categories": "Category",
    "media": "Media",
    "headings": "Heading",
}
"""The names of features, each with the name of its node in ``actions``."""


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
    missing_groups = {Group.MARKUP, Group.REFERENCES}
    if actions and not change.changed_bytes:
        missing_groups.add(Group.WORDS)
    counts: dict[str, float | None] = {}
    for name, node in _NODES.items():
        gain = actions.get(f"insert_{node}", 0) - actions.get(f"remove_{node}", 0)
        counts[f"{name}_gained"], counts[f"{name}_lost"] = float(max(0, gain)), float(max(0, -gain))
    return describe(change, facts, missing_groups=frozenset(missing_groups), overrides=counts)


def _user_kind(row: Row) -> UserKind:
    # These files are older than temporary accounts: an author who was not logged in had an IP address.
    if row["anon"] is None:
        return UserKind.UNKNOWN
    return UserKind.IP if row["anon"] else UserKind.REGISTERED
