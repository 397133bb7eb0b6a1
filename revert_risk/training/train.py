"""Train a model from labelled edits and write its artefact: the whole recipe, start to end."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save as to_safetensors

from revert_risk.artifact import Calibration, Metadata, save
from revert_risk.classifier import RevertRiskNetwork
from revert_risk.encoding import Encoder, fit_encoder, raw_values
from revert_risk.feature_table import FEATURES, Group
from revert_risk.features import Features
from revert_risk.prediction import DECIMALS
from revert_risk.training.evaluate import Evaluation, evaluate, thresholds
from revert_risk.training.examples import Dataset, Example, TrainingError, split_by_page_and_user
from revert_risk.training.fit import (
    TrainingRows,
    balanced_weights,
    calibrate,
    fit_member,
    join,
    logits_of,
    sigmoid,
)
from revert_risk.training.history import read_history
from revert_risk.training.labelled_edits import (
    read_multilingual_reverts,
    read_normalised_vandalism,
    read_raw_vandalism,
)
from revert_risk.training.model_card import figures_table, model_card

MODEL_VERSIONS = {"revertrisk-language-agnostic": "revertrisk-events-1"}
"""What can be trained, with the version that it gets."""

BASE_RATE = 0.074
"""The share of vandalism among edits that the English corpus was drawn from; scores are calibrated to it."""

_TEST_SHARE = 0.2
_MEMBERS = 5
_HISTORY_SHARE = 0.5
_LEAST_KNOWN = 0.3
"""A core feature is known for at least this share of the main set."""
_LEAST_VARIATION = 50
"""A feature has some other value than its most frequent one in at least so many edits."""
_MAIN = "vandalism_en_2009"
_HISTORY = "anarchism_enwiki_history"
_EXPORT = "anarchism_enwiki_fullhistory_2001-2010.xml.lzma"
# How fast one page is edited, and by whom, says nothing of other pages.
_WITHHELD_FROM_HISTORY = frozenset({Group.PARENT})
_DESCRIPTIONS = {
    f"{_MAIN} (held out)": "English edits of 2009, half of them vandalism by annotators' vote, markup stripped. "
    "Trained on 80 %; figures are for the rest, which shares no page and no author with it.",
    f"{_HISTORY} (held out)": "the edits of one disputed English page, 2001 to 2010, labelled by identity revert. "
    "Trained on the first 80 %; figures are for the last 20 %, same page and partly the same authors.",
    "vandalism_en_natural_rate": "English edits of 2010 close to the natural rate. Evaluation only.",
    "revert_multilingual_dev": "edits of 45 wikis in July 2022, labelled by identity revert. Evaluation only.",
}


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What training made and how good it is."""

    metadata: Metadata
    evaluations: dict[str, Evaluation]
    folder: Path

    def summary(self) -> str:
        """Return the held-out figures as text to print."""
        held_out = self.evaluations[f"{_MAIN} (held out)"]
        auc = held_out.auc
        return (
            f"{self.metadata.name} {self.metadata.version}: held-out AUC {auc.value:.4f} "
            f"(95 % interval {auc.low:.4f} to {auc.high:.4f}; {held_out.n} edits, {held_out.positives} positive)\n\n"
            f"{figures_table(self.evaluations)}"
        )


def train(data_dir: Path, model_name: str, output_dir: Path, seed: int = 0) -> TrainingReport:
    """Train a model on the labelled files in `data_dir` and write its artefact folder to `output_dir`.

    The same files and seed give the same artefact on the same machine with the same number of torch threads.
    Raise `TrainingError` for a model that is not known or a file that is missing.
    """
    if model_name not in MODEL_VERSIONS:
        raise TrainingError(f"model name: expected one of {', '.join(MODEL_VERSIONS)}")
    labels = data_dir / f"{_HISTORY}.jsonl.gz"
    sources = [
        *(
            data_dir / f"{name}.jsonl.gz"
            for name in (_MAIN, "vandalism_en_natural_rate", "revert_multilingual_dev")
        ),
        labels,
        data_dir / _EXPORT,
    ]
    missing = [path.name for path in sources if not path.is_file()]
    if missing:
        raise TrainingError(f"data folder: missing {', '.join(missing)}")
    main = read_normalised_vandalism(sources[0])
    history = read_history(data_dir / _EXPORT, labels, wiki_id="enwiki", language="en")
    return train_on(
        main,
        history,
        evaluation_only=[read_raw_vandalism(sources[1]), read_multilingual_reverts(sources[2])],
        model_name=model_name,
        output_dir=output_dir,
        seed=seed,
    )


def train_on(  # noqa: PLR0913 - each of the six is one thing that a recipe needs
    main: Dataset,
    history: Dataset,
    *,
    evaluation_only: Sequence[Dataset],
    model_name: str,
    output_dir: Path,
    seed: int,
) -> TrainingReport:
    """Train on data sets that were read before; see `train`."""
    test, *folds = split_by_page_and_user(
        main.examples, [_TEST_SHARE, *[(1 - _TEST_SHARE) / _MEMBERS] * _MEMBERS], seed
    )
    cut = round(len(history.examples) * (1 - _TEST_SHARE))
    past = [_without(example, _WITHHELD_FROM_HISTORY) for example in history.examples[:cut]]
    encoder = _encoder([example for fold in folds for example in fold], past)
    network, calibration, limits = _fit(encoder, folds, past, seed)

    def evaluated(examples: Sequence[Example], base_rate: float | None = None) -> Evaluation:
        logits = logits_of(network, encoder.encode([example.features for example in examples]))
        return evaluate(_probabilities(logits, calibration), examples, base_rate=base_rate, seed=seed)

    evaluations = {
        f"{main.name} (held out)": evaluated(test, BASE_RATE),
        f"{history.name} (held out)": evaluated(history.examples[cut:], BASE_RATE),
        **{dataset.name: evaluated(dataset.examples) for dataset in evaluation_only},
    }
    weights = to_safetensors({name: each.contiguous() for name, each in network.state_dict().items()})
    metadata = Metadata(
        name=model_name,
        version=MODEL_VERSIONS[model_name],
        encoder=encoder,
        network=network.shape,
        calibration=calibration,
        supported_wikis=None,
        thresholds=limits,
        training_data={each.file_name: each.sha256 for each in (main, history)},
        metrics={name: each.to_json() for name, each in evaluations.items()},
        weights_sha256=hashlib.sha256(weights).hexdigest(),
    )
    descriptions = {name: text for name, text in _DESCRIPTIONS.items() if name in evaluations}
    save(output_dir, metadata, weights, model_card(metadata, evaluations, descriptions))
    return TrainingReport(metadata, evaluations, output_dir)


def _encoder(main: Sequence[Example], history: Sequence[Example]) -> Encoder:
    """Choose the features that the data can teach something about.

    Core features are known for a good part of the main set; additive ones vary only in the history. One that
    hardly ever varies is left out: its weight would be whatever chance gave it.
    """
    names = [feature.name for feature in FEATURES]
    main_features = [example.features for example in main]
    features = [*main_features, *(example.features for example in history)]
    in_main, in_all = raw_values(names, main_features), raw_values(names, features)
    core = [
        name
        for index, name in enumerate(names)
        if np.isfinite(in_main[:, index]).mean() >= _LEAST_KNOWN and _varies(in_main[:, index])
    ]
    additive = [name for index, name in enumerate(names) if name not in core and _varies(in_all[:, index])]
    return fit_encoder(core, additive, features)


def _varies(column: NDArray[np.float64]) -> bool:
    _, counts = np.unique(column[np.isfinite(column)], return_counts=True)
    return bool(len(counts)) and int(counts.sum() - counts.max()) >= _LEAST_VARIATION


def _fit(
    encoder: Encoder, folds: Sequence[Sequence[Example]], history: Sequence[Example], seed: int
) -> tuple[RevertRiskNetwork, Calibration, dict[str, float]]:
    """Train one member without each fold, and calibrate on what each member did not see."""
    members, logits, labels = [], [], []
    for index, held_out in enumerate(folds):
        others = [example for number, fold in enumerate(folds) if number != index for example in fold]
        validation = _rows(encoder, held_out, 1.0)
        training = _joined(
            _rows(encoder, others, 1 - _HISTORY_SHARE), _rows(encoder, history, _HISTORY_SHARE)
        )
        member = fit_member(encoder, training, validation, seed * _MEMBERS + index)
        members.append(member)
        logits.append(logits_of(member, validation.inputs))
        labels.append(validation.labels)
    unseen, truth = np.concatenate(logits), np.concatenate(labels)
    calibration = calibrate(unseen, truth, BASE_RATE)
    return join(members, encoder), calibration, thresholds(_probabilities(unseen, calibration), truth)


def _rows(encoder: Encoder, examples: Sequence[Example], weight: float) -> TrainingRows:
    labels = np.array([example.label for example in examples], dtype=np.bool_)
    inputs = encoder.encode([example.features for example in examples])
    return TrainingRows(inputs, labels, balanced_weights(labels, weight))


def _joined(first: TrainingRows, second: TrainingRows) -> TrainingRows:
    return TrainingRows(
        np.concatenate([first.inputs, second.inputs]),
        np.concatenate([first.labels, second.labels]),
        np.concatenate([first.weights, second.weights]),
    )


def _without(example: Example, groups: frozenset[Group]) -> Example:
    hidden = {feature.name for feature in FEATURES if feature.group in groups}
    values = {name: None if name in hidden else value for name, value in example.features.values.items()}
    return replace(example, features=Features(values, example.features.changed_bytes))


def _probabilities(logits: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    probabilities: NDArray[np.float64] = sigmoid(calibration.slope * logits + calibration.offset)
    return probabilities.round(DECIMALS)  # as a server rounds them
