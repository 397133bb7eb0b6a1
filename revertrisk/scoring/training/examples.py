"""Labelled edits in the form that training and evaluation use, and their division without data leakage."""

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
"""Fields of labelled files with facts from after the edit. No reader may compute a feature from them."""

_OUTCOMES = ("reverted", "reverting")
"""Prefixes of the names of further such fields."""


class TrainingError(Exception):
    """Training or evaluation cannot start or continue; the message says what is missing or wrong."""


class KnownAtTheEdit(dict[str, Any]):
    """The fields of a labelled edit without those with facts from after the edit. Reading one of these raises."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        super().__init__({field: value for field, value in row.items() if not is_leak(field)})

    def __missing__(self, field: str) -> Any:
        """Raise TrainingError for a field that is known only after the edit, KeyError for a missing field."""
        if is_leak(field):
            raise TrainingError(f"field {field}: known only after the edit, so no feature may be made of it")
        raise KeyError(field)


def is_leak(field: str) -> bool:
    """Return whether a field of a labelled file has a fact from after the edit."""
    return field in LEAKS or field.startswith(_OUTCOMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One labelled edit. Page and user only keep related edits together when edits are divided."""

    features: Features
    label: bool
    """True for vandalism or for a reverted edit, by the definition of the data set."""
    page: str = field(repr=False)
    user: str | None = field(repr=False)
    """None if the author is hidden."""
    wiki_id: str
    is_anonymous: bool | None


@dataclass(frozen=True, slots=True)
class Dataset:
    """The examples of one file, with the SHA-256 of the file."""

    name: str
    file_name: str
    sha256: str
    examples: tuple[Example, ...]

    @property
    def labels(self) -> NDArray[np.bool_]:
        """The labels, in order."""
        return labels_of(self.examples)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal; raises TrainingError if the file cannot be read."""
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
    """Divide examples into parts, so that no two parts have a page or a user in common.

    Edits that are connected by a page or a user, directly or through other edits, stay together. The sizes of the parts
    are close to `shares`, which sum to 1. The division depends only on the examples and the seed.
    """
    components = _connected(examples)
    order = np.random.default_rng(seed).permutation(len(components))
    parts: list[list[Example]] = [[] for _ in shares]
    wanted = [share * len(examples) for share in shares]
    # Each component goes to the part with the largest share missing. Large components are placed first, because later
    # no part has enough room for them.
    for index in sorted(order, key=lambda index: -len(components[index])):
        emptiest = max(range(len(parts)), key=lambda part: (wanted[part] - len(parts[part])) / wanted[part])
        parts[emptiest] += components[index]
    return parts


def _connected(examples: Iterable[Example]) -> list[list[Example]]:
    """Return the connected components of the examples, where a common page or a common user connects two.

    This is union-find with path halving, over the pages and the users.
    """
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
