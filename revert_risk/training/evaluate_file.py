"""Evaluate an artefact on a labelled file."""

from pathlib import Path

import numpy as np

from revert_risk.classifier import TorchClassifier
from revert_risk.training.evaluate import Evaluation, evaluate
from revert_risk.training.labelled_edits import read_labelled


def evaluate_file(model: Path, data: Path, *, base_rate: float | None = None, seed: int = 0) -> Evaluation:
    """Score a labelled file with the artefact in a folder and compare scores and labels.

    Give `base_rate` for a file that was balanced by construction. Raise `ArtifactError` for the folder and
    `TrainingError` for the file.
    """
    classifier = TorchClassifier.load(model)
    examples = read_labelled(data).examples
    predictions = classifier.score_features([example.features for example in examples])
    probabilities = np.array([prediction.probability for prediction in predictions], dtype=np.float64)
    return evaluate(probabilities, examples, base_rate=base_rate, seed=seed)
