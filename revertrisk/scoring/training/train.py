"""Trains a model from labelled edits, evaluates it and writes its artefact."""

import hashlib
import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from revertrisk.scoring.artifact import FORMAT, Metadata, NgramTable, save
from revertrisk.scoring.classifier import weights_file
from revertrisk.scoring.ngrams import CHARACTERS_READ, SIZES
from revertrisk.scoring.training.baselines import AgeAndFlag, BoostedTrees, NgramRegression
from revertrisk.scoring.training.ensemble import BASE_RATE, FOLDS, Fitted, TrainingEdits, fit_ensemble
from revertrisk.scoring.training.evaluate import EVEN_ODDS, Evaluation, area_under_curve, evaluate
from revertrisk.scoring.training.examples import (
    Example,
    TrainingError,
    labels_of,
    split_by_page_and_user,
)
from revertrisk.scoring.training.model_card import figures_table, model_card
from revertrisk.scoring.training.recipes import RECIPES
from revertrisk.scoring.training.sources import DESCRIPTIONS, MAIN, Progress, Sources, read_sources

_TEST_SHARE = 0.2
_FIFTHS = 5


def _silent(line: str) -> None:
    """Ignore a message about progress."""


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """The result of training: the metadata, the evaluations and the artefact folder."""

    metadata: Metadata
    evaluations: dict[str, Evaluation]
    auc_by_split: Mapping[int, float]
    """The AUC on the held-out English edits, by the seed of their division."""
    folder: Path

    def summary(self) -> str:
        """Return the figures on held-out edits, as text to print."""
        held_out = self.evaluations[f"{MAIN} (held out)"]
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
class _Split:
    """A model, and the edits of both divided sets that it was trained on, and those that were held out (``_test``)."""

    model: Fitted
    main: Sequence[Example]
    main_test: Sequence[Example]
    with_ages: Sequence[Example]
    with_ages_test: Sequence[Example]

    def auc(self) -> float:
        scores = self.model.probabilities(self.main_test)
        return round(area_under_curve(scores, labels_of(self.main_test)), 4)

    def with_ages_scores(self) -> dict[str, NDArray[np.float64]]:
        baseline = AgeAndFlag(self.with_ages)
        return {
            "model": self.model.probabilities(self.with_ages_test),
            baseline.name: baseline.score(self.with_ages_test),
        }


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

    With more than one of `splits`, further models are trained on other divisions of the edits (seeds `seed` + 1 and so
    on), only for their held-out figures. The same files and seed give the same artefact on the same machine with the
    same number of torch threads.

    Raises:
        TrainingError: the model is not known, or a file is missing or cannot be used.

    """
    if model_name not in RECIPES:
        raise TrainingError(f"model name: expected one of {', '.join(RECIPES)}")
    sources = read_sources(data_dir, progress)
    return train_on(
        sources, model_name=model_name, output_dir=output_dir, seed=seed, splits=splits, progress=progress
    )


def train_on(  # noqa: PLR0913 - each is one thing that a recipe needs
    sources: Sources,
    *,
    model_name: str,
    output_dir: Path,
    seed: int,
    splits: int = 1,
    progress: Progress = _silent,
) -> TrainingReport:
    """Train on data sets that are already read; see `train`."""
    history = sources.history
    cut = round(len(history.examples) * (1 - _TEST_SHARE))

    def fitted(split: int) -> _Split:
        main_test, *main = split_by_page_and_user(
            sources.main.examples, [_TEST_SHARE, *[(1 - _TEST_SHARE) / FOLDS] * FOLDS], split
        )
        # The fifths are the same for every seed, so that five splits hold out each edit once.
        fifths = split_by_page_and_user(sources.with_ages.examples, [_TEST_SHARE] * _FIFTHS, 0)
        with_ages_test = fifths.pop(split % _FIFTHS)
        with_ages = split_by_page_and_user(list(chain(*fifths)), [1 / FOLDS] * FOLDS, split)
        edits = TrainingEdits(main, with_ages, history.examples[:cut], sources.soft.examples)
        model = fit_ensemble(
            RECIPES[model_name], edits, split, lambda line: progress(f"split {split}: {line}")
        )
        return _Split(model, list(chain(*main)), main_test, list(chain(*with_ages)), with_ages_test)

    own = fitted(seed)
    auc_by_split, with_ages_test, with_ages_scores = (
        {seed: own.auc()},
        list(own.with_ages_test),
        [own.with_ages_scores()],
    )
    for number in range(seed + 1, seed + splits):
        other = fitted(number)
        auc_by_split[number] = other.auc()
        if number - seed < _FIFTHS:
            with_ages_test += other.with_ages_test
            with_ages_scores.append(other.with_ages_scores())

    progress("training the baselines")
    model = own.model
    baselines: list[NgramRegression | BoostedTrees] = [
        NgramRegression(own.main, model.encoder),
        BoostedTrees(own.main, seed),
    ]

    def evaluated(name: str, examples: Sequence[Example], base_rate: float | None = None) -> Evaluation:
        progress(f"evaluating on {name}")
        return evaluate(
            model.probabilities(examples),
            examples,
            base_rate=base_rate,
            thresholds={**EVEN_ODDS, **model.thresholds},
            baselines={each.name: each.score(examples) for each in baselines},
            seed=seed,
        )

    progress(f"evaluating on {sources.with_ages.name}")
    scores = {name: np.concatenate([each[name] for each in with_ages_scores]) for name in with_ages_scores[0]}
    with_ages = evaluate(
        scores.pop("model"),
        with_ages_test,
        thresholds={**EVEN_ODDS, **model.thresholds},
        baselines=scores,
        seed=seed,
    )
    evaluations = {
        f"{sources.main.name} (held out)": evaluated(sources.main.name, own.main_test, BASE_RATE),
        f"{sources.with_ages.name} (held out)": with_ages,
        f"{history.name} (held out)": evaluated(history.name, history.examples[cut:], BASE_RATE),
        **{each.name: evaluated(each.name, each.examples) for each in sources.evaluation_only},
    }
    weights = weights_file(model.network, model.vocabulary)
    metadata = Metadata(
        format=FORMAT,
        name=model_name,
        version=RECIPES[model_name].version,
        preprocessing=model.encoder,
        text=None if model.vocabulary is None else NgramTable(SIZES, CHARACTERS_READ, len(model.vocabulary)),
        network=model.network.shape,
        calibration=model.calibration,
        supported_wikis=RECIPES[model_name].supported_wikis,
        thresholds=model.thresholds,
        training_data=sources.digests,
        made_with=_made_with(),
        metrics={
            "data_sets": {name: each.to_json() for name, each in evaluations.items()},
            "auc_by_split": {str(split): value for split, value in auc_by_split.items()},
        },
        weights_sha256=hashlib.sha256(weights).hexdigest(),
    )
    descriptions = {name: text for name, text in DESCRIPTIONS.items() if name in evaluations}
    save(output_dir, metadata, weights, model_card(metadata, evaluations, descriptions))
    return TrainingReport(metadata, evaluations, auc_by_split, output_dir)


def _made_with() -> dict[str, str]:
    """Return the versions of this package and of torch, and the SHA-256 of the modules of `revertrisk.scoring`."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for module in sorted(package.rglob("*.py")):
        digest.update(module.relative_to(package).as_posix().encode() + b"\0" + module.read_bytes() + b"\0")
    return {
        "revertrisk-events": importlib.metadata.version("revertrisk-events"),
        "code_sha256": digest.hexdigest(),
        "torch": torch.__version__,
    }
