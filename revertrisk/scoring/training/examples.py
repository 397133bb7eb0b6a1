"""Labelled edits as training and evaluation see them, and how to divide them without a leak."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from revertrisk.scoring.features import Features

LEAKS = frozenset(
    {
        "user_editcount_2024", "reverted_by_rev", "reverting_user", "reverting_comment", "reverted_by_good_user",
        "self_reverted", "user_groups", "user_warns", "annotators_majority", "gold_class", "rrla_score",
        "rrml_score", "mlm",
    }
)  # fmt: skip
"""Fields of the labelled files that know what happened after the edit; no reader may turn one into a feature."""

_OUTCOMES = ("reverted", "reverting")
"""How the names of further such fields begin."""


class TrainingError(Exception):
    """Training cannot start or continue; the message says what is missing or wrong."""


class KnownAtTheEdit(dict[str, Any]):
    """The fields of a labelled edit without those that know what came after; asking for one of these is refused."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        super().__init__({field: value for field, value in row.items() if not is_leak(field)})

    def __missing__(self, field: str) -> Any:
        """Raise TrainingError for a field that is known only after the edit, KeyError for one that is not there."""
        if is_leak(field):
            raise TrainingError(f"field {field}: known only after the edit, so no feature may be made of it")
        raise KeyError(field)


def is_leak(field: str) -> bool:
    """Return whether a field of a labelled file knows what happened after the edit."""
    return field in LEAKS or field.startswith(_OUTCOMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One labelled edit. Titles and user names serve to keep related edits together and go nowhere else."""

    features: Features
    label: bool
    """True for vandalism or a reverted edit, as the data set defines it."""
    page: str = field(repr=False)
    user: str | None = field(repr=False)
    """None where the author is hidden."""
    wiki_id: str
    is_anonymous: bool | None


@dataclass(frozen=True, slots=True)
class Dataset:
    """The examples of one file, with the digest of the bytes that they came from."""

    name: str
    file_name: str
    sha256: str
    examples: tuple[Example, ...]

    @property
    def labels(self) -> NDArray[np.bool_]:
        """The labels, in order."""
        return labels_of(self.examples)


def sha256_of(path: Path) -> str:
    """Return the digest of a file's bytes; raises TrainingError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise TrainingError(f"{path.name}: cannot be read ({exc.strerror})") from None


def labels_of(examples: Sequence[Example]) -> NDArray[np.bool_]:
    """Return the labels of examples, in order."""
    return np.array([example.label for example in examples], dtype=np.bool_)


def split_by_page_and_user(
    examples: Sequence[Example], shares: Sequence[float], seed: int
) -> list[list[Example]]:
    """Divide examples into parts so that no page and no user is found in two of them.

    Edits connected by a page or a user, directly or through others, stay together; the parts' sizes come
    close to `shares` (which sum to 1) and the division depends on nothing but the examples and the seed.
    """
    components = _connected(examples)
    order = np.random.default_rng(seed).permutation(len(components))
    parts: list[list[Example]] = [[] for _ in shares]
    wanted = [share * len(examples) for share in shares]
    # Each component goes where most is missing, the large ones first: they fit nowhere later.
    for index in sorted(order, key=lambda index: -len(components[index])):
        neediest = max(range(len(parts)), key=lambda part: (wanted[part] - len(parts[part])) / wanted[part])
        parts[neediest] += components[index]
    return parts


def _connected(examples: Iterable[Example]) -> list[list[Example]]:
    """Group the examples that share a page or a user, through any number of others."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(key: tuple[str, str]) -> tuple[str, str]:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    listed = list(examples)
    for example in listed:
        if example.user is not None:
            parent[root(("user", example.user))] = root(("page", example.page))
    groups: dict[tuple[str, str], list[Example]] = {}
    for example in listed:
        groups.setdefault(root(("page", example.page)), []).append(example)
    return list(groups.values())
