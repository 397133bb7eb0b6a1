"""Predictions in a file."""

from pathlib import Path

import orjson
import pytest

from revertrisk.backfill.prediction_file import OutputError, PredictionFile


def prediction(rev_id: int) -> dict[str, object]:
    return {"wiki_id": "enwiki", "revision": {"rev_id": rev_id}}


async def test_what_is_appended_is_there(tmp_path: Path) -> None:
    """Also for the next one who opens it."""
    path = tmp_path / "out.jsonl"
    with PredictionFile(path) as first:
        await first.append(prediction(1))
    with PredictionFile(path) as second:
        await second.append(prediction(2))
        assert list(second.revisions()) == [("enwiki", 1), ("enwiki", 2)]


@pytest.mark.parametrize("torn", [b"{", b'{"x": "' + b"y" * 200_000, b""])
async def test_half_a_line_is_taken_away(tmp_path: Path, torn: bytes) -> None:
    """However long it is, and also where it is the first."""
    for whole in (b"", orjson.dumps(prediction(1)) + b"\n"):
        path = tmp_path / f"{len(whole)}.jsonl"
        path.write_bytes(whole + torn)
        with PredictionFile(path):
            pass
        assert path.read_bytes() == whole


def test_a_line_that_is_no_prediction_is_refused(tmp_path: Path) -> None:
    """By its number; so is a place that cannot be written."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(orjson.dumps(prediction(1)) + b"\nnonsense\n")
    with PredictionFile(path) as file, pytest.raises(OutputError, match="line 2 is not a prediction"):
        list(file.revisions())
    with pytest.raises(OutputError, match="cannot be written"):
        PredictionFile(tmp_path / "missing" / "out.jsonl")
