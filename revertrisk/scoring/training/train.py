"""Train a model from labelled edits and write its artefact: the whole recipe, start to end."""

import hashlib
import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from revertrisk.scoring.artifact import FORMAT, Calibration, Metadata, NgramTable, save
from revertrisk.scoring.classifier import packed
from revertrisk.scoring.encoding import Encoder, fit_encoder, raw_values
from revertrisk.scoring.feature_table import FEATURES, Group
from revertrisk.scoring.features import Features
from revertrisk.scoring.network import RevertRiskNetwork
from revertrisk.scoring.ngrams import CHARACTERS_READ, SIZES
from revertrisk.scoring.prediction import DECIMALS
from revertrisk.scoring.training.baselines import BoostedTrees, NgramRegression
from revertrisk.scoring.training.evaluate import EVEN_ODDS, Evaluation, area_under_curve, evaluate, thresholds
from revertrisk.scoring.training.examples import (
    Dataset,
    Example,
    TrainingError,
    labels_of,
    split_by_page_and_user,
)
from revertrisk.scoring.training.fit import (
    TrainingRows,
    calibrate,
    fit_member,
    join,
    logits_of,
    sigmoid,
)
from revertrisk.scoring.training.history import read_history
from revertrisk.scoring.training.labelled_edits import (
    read_multilingual_reverts,
    read_normalised_vandalism,
    read_raw_vandalism,
)
from revertrisk.scoring.training.model_card import figures_table, model_card
from revertrisk.scoring.training.recipes import RECIPES, Recipe
from revertrisk.scoring.vocabulary import Vocabulary, learn

BASE_RATE = 0.074
"""The share of vandalism among edits that the English corpus was drawn from; scores are calibrated to it."""

_TEST_SHARE = 0.2
_MEMBERS = 5
_HISTORY_SHARE = 0.5
_LEAST_KNOWN = 0.3
"""A core feature is known for at least this share of the main set."""
_LEAST_VARIATION = 50
"""A feature has some other value than its most frequent one in at least this many edits."""
_LEAST_EDITS_WITH_NGRAM = 3
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


Progress = Callable[[str], None]


def _silent(line: str) -> None:
    """Discard a line of progress."""


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What training made and how good it is."""

    metadata: Metadata
    evaluations: dict[str, Evaluation]
    auc_by_split: Mapping[int, float]
    """The AUC on the held-out English edits, by the seed that divided them."""
    folder: Path

    def summary(self) -> str:
        """Return the held-out figures as text to print."""
        held_out = self.evaluations[f"{_MAIN} (held out)"]
        auc, flag = held_out.auc, held_out.baselines["anonymous_flag"].auc
        splits = ", ".join(f"{value:.4f}" for value in self.auc_by_split.values())
        return (
            f"{self.metadata.name} {self.metadata.version}: held-out AUC {auc.value:.4f} "
            f"(95 % interval {auc.low:.4f} to {auc.high:.4f}; {held_out.n} edits, {held_out.positives} positive); "
            f"the anonymous flag alone {flag.value:.4f}\n"
            f"AUC by split (seeds {', '.join(map(str, self.auc_by_split))}): {splits}; "
            f"mean {np.mean(list(self.auc_by_split.values())):.4f}\n\n"
            f"{figures_table(self.evaluations)}"
        )


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A network with all that turns an edit into its probability."""

    encoder: Encoder
    vocabulary: Vocabulary | None
    network: RevertRiskNetwork
    calibration: Calibration
    limits: dict[str, float]

    def probabilities(self, examples: Sequence[Example]) -> NDArray[np.float64]:
        texts = (
            None
            if self.vocabulary is None
            else [self.vocabulary.find(each.features.text) for each in examples]
        )
        inputs = self.encoder.encode([each.features for each in examples])
        return _probabilities(logits_of(self.network, inputs, texts), self.calibration)


def train(  # noqa: PLR0913 - each is an option of the command
    data_dir: Path,
    model_name: str,
    output_dir: Path,
    *,
    seed: int = 0,
    splits: int = 1,
    progress: Progress = _silent,
) -> TrainingReport:
    """Train a model on the labelled files in `data_dir` and write its artefact folder to `output_dir`.

    With more than one of `splits`, further divisions of the English edits (seeds `seed` + 1 and so on) are
    trained on for their held-out figures only. The same files and seed give the same artefact on the same
    machine with the same number of torch threads.

    Raises:
        TrainingError: for a model that is not known or a file that is missing.

    """
    if model_name not in RECIPES:
        raise TrainingError(f"model name: expected one of {', '.join(RECIPES)}")
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
    progress(f"reading {sources[0].name}")
    main = read_normalised_vandalism(sources[0])
    progress(f"reading {_EXPORT}")
    history = read_history(data_dir / _EXPORT, labels, wiki_id="enwiki", language="en")
    progress("reading what is for evaluation only")
    return train_on(
        main,
        history,
        evaluation_only=[read_raw_vandalism(sources[1]), read_multilingual_reverts(sources[2])],
        model_name=model_name,
        output_dir=output_dir,
        seed=seed,
        splits=splits,
        progress=progress,
    )


def train_on(  # noqa: PLR0913 - each is one thing that a recipe needs
    main: Dataset,
    history: Dataset,
    *,
    evaluation_only: Sequence[Dataset],
    model_name: str,
    output_dir: Path,
    seed: int,
    splits: int = 1,
    progress: Progress = _silent,
) -> TrainingReport:
    """Train on data sets that were read before; see `train`."""
    recipe = RECIPES[model_name]
    cut = round(len(history.examples) * (1 - _TEST_SHARE))
    past = [_without(example, _WITHHELD_FROM_HISTORY) for example in history.examples[:cut]]

    def fitted(split: int) -> tuple[_Fitted, Sequence[Example], Sequence[Example]]:
        test, *folds = split_by_page_and_user(
            main.examples, [_TEST_SHARE, *[(1 - _TEST_SHARE) / _MEMBERS] * _MEMBERS], split
        )
        model = _fit(recipe, folds, past, split, lambda line: progress(f"split {split}: {line}"))
        return model, [example for fold in folds for example in fold], test

    model, training, test = fitted(seed)
    auc_by_split = {seed: _auc(model, test)}
    for split in range(seed + 1, seed + splits):
        other, _, unseen = fitted(split)
        auc_by_split[split] = _auc(other, unseen)

    progress("training the baselines")
    rivals: list[NgramRegression | BoostedTrees] = [
        NgramRegression(training, model.encoder),
        BoostedTrees(training, seed),
    ]

    def evaluated(name: str, examples: Sequence[Example], base_rate: float | None = None) -> Evaluation:
        progress(f"evaluating on {name}")
        return evaluate(
            model.probabilities(examples),
            examples,
            base_rate=base_rate,
            limits={**EVEN_ODDS, **model.limits},
            baselines={rival.name: rival.score(examples) for rival in rivals},
            seed=seed,
        )

    evaluations = {
        f"{main.name} (held out)": evaluated(main.name, test, BASE_RATE),
        f"{history.name} (held out)": evaluated(history.name, history.examples[cut:], BASE_RATE),
        **{each.name: evaluated(each.name, each.examples) for each in evaluation_only},
    }
    weights = packed(model.network, model.vocabulary)
    metadata = Metadata(
        format=FORMAT,
        name=model_name,
        version=recipe.version,
        preprocessing=model.encoder,
        text=None if model.vocabulary is None else NgramTable(SIZES, CHARACTERS_READ, len(model.vocabulary)),
        network=model.network.shape,
        calibration=model.calibration,
        supported_wikis=recipe.supported_wikis,
        thresholds=model.limits,
        training_data={each.file_name: each.sha256 for each in (main, history)},
        made_with=_made_with(),
        metrics={
            "data_sets": {name: each.to_json() for name, each in evaluations.items()},
            "auc_by_split": {str(split): value for split, value in auc_by_split.items()},
        },
        weights_sha256=hashlib.sha256(weights).hexdigest(),
    )
    descriptions = {name: text for name, text in _DESCRIPTIONS.items() if name in evaluations}
    save(output_dir, metadata, weights, model_card(metadata, evaluations, descriptions))
    return TrainingReport(metadata, evaluations, auc_by_split, output_dir)


def _auc(model: _Fitted, examples: Sequence[Example]) -> float:
    return round(area_under_curve(model.probabilities(examples), labels_of(examples)), 4)


def _made_with() -> dict[str, str]:
    """Say which code trained: this package by its version and the digest of its modules, and torch."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for module in sorted(package.rglob("*.py")):
        digest.update(module.relative_to(package).as_posix().encode() + b"\0" + module.read_bytes() + b"\0")
    return {
        "revertrisk-events": importlib.metadata.version("revertrisk-events"),
        "code_sha256": digest.hexdigest(),
        "torch": torch.__version__,
    }


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
    recipe: Recipe,
    folds: Sequence[Sequence[Example]],
    history: Sequence[Example],
    seed: int,
    progress: Progress,
) -> _Fitted:
    """Train one member without each fold, and calibrate on what each member did not see."""
    training = [example for fold in folds for example in fold]
    encoder = _encoder(training, history)
    vocabulary = None
    if recipe.reads_words:
        vocabulary = learn([each.features.text for each in training], least=_LEAST_EDITS_WITH_NGRAM)
    past = TrainingRows.of(encoder, vocabulary, history, _HISTORY_SHARE)
    members, logits, labels = [], [], []
    for index, held_out in enumerate(folds):
        progress(f"network {index + 1} of {len(folds)}")
        others = [example for number, fold in enumerate(folds) if number != index for example in fold]
        validation = TrainingRows.of(encoder, vocabulary, held_out, 1.0)
        rows = TrainingRows.of(encoder, vocabulary, others, 1 - _HISTORY_SHARE) + past
        member = fit_member(encoder, vocabulary, rows, validation, seed * _MEMBERS + index)
        members.append(member)
        logits.append(logits_of(member, validation.inputs, validation.texts))
        labels.append(validation.labels)
    unseen, truth = np.concatenate(logits), np.concatenate(labels)
    calibration = calibrate(unseen, truth, BASE_RATE)
    limits = thresholds(_probabilities(unseen, calibration), truth)
    return _Fitted(encoder, vocabulary, join(members, encoder, vocabulary), calibration, limits)


def _without(example: Example, groups: frozenset[Group]) -> Example:
    """Hide groups of facts of an example, and its words: those of one page teach nothing about others."""
    hidden = {feature.name for feature in FEATURES if feature.group in groups}
    values = {name: None if name in hidden else value for name, value in example.features.values.items()}
    return replace(example, features=Features(values, example.features.changed_bytes))


def _probabilities(logits: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    probabilities: NDArray[np.float64] = sigmoid(calibration.slope * logits + calibration.offset)
    return probabilities.round(DECIMALS)  # as a server rounds them
