"""editquality's rows: recognised by their columns, read by name, what they do not give unknown."""

import bz2
from pathlib import Path

import pytest

from revertrisk.scoring.feature_table import FEATURES, Group
from revertrisk.scoring.training.examples import TrainingError
from revertrisk.scoring.training.labelled_edits import read_labelled

NEW = "101\t3\t12\t4\t0.5\t0\t2.5\tFalse\tFalse\t172800\tTrue"
ADDRESS = "102\t1\t0\t7\t0\t0\t0\tTrue\tFalse\t300000000\tFalse"
ADMIN = "103\t1\t0\t0\t0\t0\t0\tFalse\tTrue\t315360000\tFalse"
SHORT = "104\t1\t0\t0\tFalse"


def packed(folder: Path, *rows: str) -> Path:
    """Write rows as the set is packed."""
    path = folder / "edits.tsv.bz2"
    path.write_bytes(bz2.compress("".join(f"{row}\n" for row in rows).encode()))
    return path


def test_rows_are_known_by_their_columns_and_others_are_left_out(tmp_path: Path) -> None:
    """A file without a header is told from its first row; a row with another number of columns is no edit."""
    data = read_labelled(packed(tmp_path, NEW, SHORT, ADDRESS, ADMIN))
    assert data.name == "edits"
    assert data.labels.tolist() == [True, False, False]
    assert [each.is_anonymous for each in data.examples] == [False, True, False]
    assert len({each.page for each in data.examples}) == 3


def test_the_numbers_become_features(tmp_path: Path) -> None:
    """Words in and out, the longest run, rights, and the age of an account, which an address has none of."""
    new, address, admin = (
        each.features.values for each in read_labelled(packed(tmp_path, NEW, ADDRESS, ADMIN)).examples
    )
    assert (new["words_inserted"], new["words_removed"], new["inserted_longest_run"]) == (12, 4, 3)
    assert (new["inserted_share"], new["only_removes"], new["user_age"]) == (0.75, 0, 2)
    assert (address["user_age"], address["only_removes"], address["inserted_longest_run"]) == (None, 1, 0)
    assert (admin["user_is_bot_or_admin"], admin["user_is_bot"], admin["no_words_changed"]) == (1, None, 1)
    assert admin["user_age"] == 3650


def test_what_the_file_cannot_give_is_unknown(tmp_path: Path) -> None:
    """It has no texts, comments, tags or parents."""
    (example,) = read_labelled(packed(tmp_path, NEW)).examples
    unknown = {
        Group.REFERENCES,
        Group.MARKUP,
        Group.COMMENT,
        Group.EDIT,
        Group.PARENT,
        Group.PAGE,
        Group.TAGS,
    }
    known = [
        each.name
        for each in FEATURES
        if each.group in unknown and example.features.values[each.name] is not None
    ]
    assert known == []


def test_a_flag_that_is_none_is_refused(tmp_path: Path) -> None:
    """The message names the file and repeats no value."""
    with pytest.raises(TrainingError, match=r"edits\.tsv\.bz2: expected JSON lines, CSV or TSV"):
        read_labelled(packed(tmp_path, NEW, NEW.replace("False\tFalse", "perhaps\tFalse")))
