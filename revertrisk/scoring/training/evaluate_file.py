"""Evaluate an artefact on a labelled file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from revertrisk.scoring.classifier import TorchClassifier
from revertrisk.scoring.prediction import Prediction
from revertrisk.scoring.training.evaluate import EVEN_ODDS, Evaluation, evaluate
from revertrisk.scoring.training.examples import Dataset, TrainingError
from revertrisk.scoring.training.figures import Labels, Scores
from revertrisk.scoring.training.labelled_edits import read_labelled


@dataclass(frozen=True, slots=True)
class FileEvaluation:
    """The scores of a model for a labelled file, and their evaluation."""

    model_name: str
    model_version: str
    dataset: Dataset
    predictions: tuple[Prediction, ...]
    evaluation: Evaluation

    @property
    def probabilities(self) -> Scores:
        """The scores, in the order of the file."""
        return np.array([each.probability for each in self.predictions], dtype=np.float64)

    @property
    def labels(self) -> Labels:
        """The labels, in the order of the file."""
        return self.dataset.labels


def evaluate_file(
    model: Path,
    data: Path,
    *,
    file_format: str | None = None,
    base_rate: float | None = None,
    seed: int = 0,
) -> FileEvaluation:
    """Score a labelled file with the artefact in a folder, and compare the scores with the labels.

    `base_rate` is for a file that is balanced by construction; see `evaluate`.

    Raises:
        ArtifactError: the artefact cannot be used.
        TrainingError: the file cannot be read, or has no labelled edits.

    """
    classifier = TorchClassifier.load(model)
    dataset = read_labelled(data, file_format)
    examples = dataset.examples
    if not examples:
        raise TrainingError(f"{data.name}: no labelled edits")
    predictions = tuple(classifier.score_features([example.features for example in examples]))
    evaluation = evaluate(
        np.array([each.probability for each in predictions], dtype=np.float64),
        examples,
        base_rate=base_rate,
        thresholds={**EVEN_ODDS, **classifier.metadata.thresholds},
        seed=seed,
    )
    return FileEvaluation(classifier.name, classifier.version, dataset, predictions, evaluation)
