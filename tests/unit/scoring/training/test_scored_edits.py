import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from revertrisk.scoring.features import Features
from revertrisk.scoring.prediction import Prediction
from revertrisk.scoring.training.examples import Example, TrainingError
from revertrisk.scoring.training.scored_edits import ScoredEdit, read_scores, write_scores


def production(path: Path) -> Path:
    """Write scores as production's models gave them, one of them missing."""
    header = ["wiki_db", "rev_id", "label_identity_reverted", "user_is_anonymous", "rrla_score", "rrml_score"]
    with gzip.open(path, "wt", newline="") as out:
        writer = csv.writer(out)
        writer.writerows([header, ["dewiki", 1, 0, 0, 0.06, 0.1], ["dewiki", 2, 1, 1, 0.9, ""]])
    return path


def test_productions_scores_are_read_as_production_s_own(tmp_path: Path) -> None:
    """Both models' scores are told apart, and an edit that one of them did not score is left out there."""
    models = read_scores(production(tmp_path / "scores.csv.gz"))
    assert {key: len(found) for key, found in models.items()} == {
        ("revertrisk-language-agnostic", "production"): 2,
        ("revertrisk-multilingual", "production"): 1,
    }


def test_scores_of_another_model_or_version_are_refused(tmp_path: Path) -> None:
    """Thresholds for one model are never taken from the scores of another."""
    path = production(tmp_path / "scores.csv.gz")
    with pytest.raises(TrainingError, match="found those of revertrisk-multilingual production"):
        read_scores(path, model_name="revertrisk-multilingual", model_version="revertrisk-events-2")
    with pytest.raises(TrainingError, match="no scores of revertrisk-magic"):
        read_scores(path, model_name="revertrisk-magic")
    mixed = tmp_path / "mixed.jsonl"
    row = {"model_name": "m", "wiki_id": "w", "groups": [], "label": 1, "probability": 0.1}
    rows = [row | {"model_version": version} for version in ("1", "2")]
    mixed.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(TrainingError, match="expected scores of m 1 only, found those of m 2"):
        read_scores(mixed, model_name="m", model_version="1")


def test_written_scores_are_read_back(tmp_path: Path) -> None:
    """Scores keep their model, wiki, groups and labels through a file."""
    path = tmp_path / "scores.jsonl"
    example = Example(
        features=Features({}, 0), label=True, page="p", user="u", wiki_id="dewiki", is_anonymous=True
    )
    write_scores(path, [Prediction(0.25, "m", "1")], [example])
    assert read_scores(path) == {
        ("m", "1"): [ScoredEdit("m", "1", "dewiki", ("anonymous", "ip"), label=True, probability=0.25)]
    }


@pytest.mark.parametrize(
    "content", [b"no,such\n1,2", b'{"model_name": 1}', b"{", b"", np.bytes_(b"\x1f\x8b!")]
)
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file without scores is refused by its name."""
    path = tmp_path / "scores.txt"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"scores\.txt"):
        read_scores(path)
