from pathlib import Path

import pytest

from revertrisk.dispatcher import Ending, Outcome, SettingsError
from revertrisk.dispatcher.deadletters import SkipFile
from revertrisk.dispatcher.recovery.reconcile import read_skips
from revertrisk.streams import Position

TORN = b'{"wiki_id":"enwiki","rev_'


def note(path: Path, rev_id: int, ending: Ending = Ending.SKIPPED) -> None:
    event = {"wiki_id": "enwiki", "revision": {"rev_id": rev_id}}
    with SkipFile(path) as skips:
        skips.note_outcome(Outcome(ending, Position("x", 1), "redirect", rule="r", event=event))


def test_what_is_noted_is_read_back(tmp_path: Path) -> None:
    """Skips of several runs stand in one file; what is no skip leaves no line."""
    path = tmp_path / "skips.jsonl"
    note(path, 1)
    note(path, 2, Ending.PRODUCED)
    note(path, 3)
    assert read_skips(path) == {("enwiki", 1): "redirect", ("enwiki", 3): "redirect"}


@pytest.mark.parametrize("torn", [TORN, TORN[:5]])
def test_a_torn_line_costs_itself_only(tmp_path: Path, torn: bytes) -> None:
    """What a crash or a full disk left half written swallows no later skip, and the file can still be read."""
    path = tmp_path / "skips.jsonl"
    note(path, 1)
    with path.open("ab") as file:
        file.write(torn)
    assert read_skips(path) == {("enwiki", 1): "redirect"}
    note(path, 2)
    assert read_skips(path) == {("enwiki", 1): "redirect", ("enwiki", 2): "redirect"}


@pytest.mark.parametrize("line", [b"rev_id,reason", b"null", b'{"wiki_id":"enwiki"}', b"[1]"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, line: bytes) -> None:
    """Another file is not taken for one without skips: its revisions would all be missing."""
    path = tmp_path / "other.csv"
    path.write_bytes(line + b"\n")
    with pytest.raises(SettingsError, match=r"other\.csv: line 1 is not a skip"):
        read_skips(path)
