"""Thresholds of wikis and model versions."""

import json
from pathlib import Path
from typing import Any

import pytest

from revertrisk.dashboard.thresholds import Thresholds, ThresholdsError, read_thresholds
from revertrisk.reports.thresholds import find_limits, limits_json
from revertrisk.scoring.training.scored_edits import ScoredEdit


def test_what_the_thresholds_command_writes(tmp_path: Path) -> None:
    """A wiki has its own threshold, another one the model's for all wikis, another model the default."""
    edits = [
        ScoredEdit("m", "v1", wiki, ("registered",), label=False, probability=n / 1000 + shift)
        for wiki, shift in (("enwiki", 0.2), ("svwiki", 0.4))
        for n in range(300)
    ]
    document = [{"model_name": "m", "model_version": "v1", "limits": limits_json(find_limits(edits, 0.1))}]
    path = tmp_path / "thresholds.json"
    path.write_text(json.dumps(document))
    thresholds = read_thresholds(path, 0.7)
    assert thresholds.of("m", "v1", "enwiki") == pytest.approx(0.47, abs=0.01)
    assert thresholds.of("m", "v1", "svwiki") == pytest.approx(0.67, abs=0.01)
    assert 0.47 < thresholds.of("m", "v1", "nowiki") < 0.67
    assert thresholds.of("m", "v2", "enwiki") == 0.7
    assert (thresholds.differ("m", "v1"), thresholds.differ("m", "v2")) == (True, False)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "expected a list"),
        ([{}], "/0: expected model_name"),
        (
            [{"model_name": "m", "model_version": "v", "limits": [{"wiki_id": "enwiki"}]}],
            "/0/limits: expected",
        ),
    ],
)
def test_another_file_is_refused(tmp_path: Path, document: Any, reason: str) -> None:
    """The message names the place and what was expected."""
    path = tmp_path / "thresholds.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ThresholdsError, match=reason):
        read_thresholds(path)


def test_a_default_that_is_no_probability() -> None:
    """A threshold is a number from 0 to 1."""
    with pytest.raises(ValueError, match="threshold: expected a number from 0 to 1, not 7"):
        Thresholds(7.0)
