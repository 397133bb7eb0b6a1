"""Trains the members of a model and joins them into one network with one calibration.

Most members learn from labels. Each is trained without one fold of the edits; that fold decides when the training
stops, and all folds together give the calibration. The other members (students) learn the predictions of the teachers
and read no words. The account's age is added last, as one bounded term.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from revertrisk.scoring.artifact import Calibration
from revertrisk.scoring.encoding import Encoder, fit_encoder, raw_values
from revertrisk.scoring.feature_table import FEATURES, Group
from revertrisk.scoring.features import Features
from revertrisk.scoring.network import RevertRiskNetwork
from revertrisk.scoring.prediction import DECIMALS
from revertrisk.scoring.training import account_age
from revertrisk.scoring.training.evaluate import choose_thresholds
from revertrisk.scoring.training.examples import Example, labels_of
from revertrisk.scoring.training.fit import (
    InputSelection,
    TrainingRows,
    calibrate,
    fit_member,
    join_members,
    logits_of,
)
from revertrisk.scoring.training.logistic import sigmoid
from revertrisk.scoring.training.recipes import Recipe
from revertrisk.scoring.training.soft_labels import SoftExample
from revertrisk.scoring.vocabulary import Vocabulary, learn_vocabulary

BASE_RATE = 0.074
"""The share of vandalism in the edits that the English corpus was sampled from; scores are calibrated to it."""
FOLDS = 5
"""The number of members that learn from labels; each is trained without one fold."""
SOFT_MEMBERS = 3
"""The number of students: members that learn from soft labels."""
SOFT_SHARE = 0.4
"""The weight of all students together in the logit."""

_SHARES = {"main": 0.4, "with_ages": 0.3, "history": 0.3}
"""The share of each set in the training weight of a labelled member."""
_MIN_KNOWN_SHARE = 0.3
"""Labelled members combine a feature only if at least this share of the main set has it."""
_MIN_VARYING_EDITS = 50
"""A feature is used only if at least this number of edits has another value than the most frequent one."""
_MIN_EDITS_WITH_NGRAM = 3
"""An n-gram is in the vocabulary only if at least this number of edits of the main set has it."""
_SOFT_VALIDATION = 5
"""One in this number of soft-labelled edits is held out of a student's training, and decides when it stops."""
_SOFT_SEEDS = 1_000
"""The seeds of students begin here, so that they differ from those of labelled members."""
_NOT_INPUTS = frozenset({account_age.FEATURE, "user_edit_count"})
"""The age is a term of its own. No training file has edit counts as of the edit."""
# How fast one page is edited, and by whom, says nothing about other pages.
_HIDDEN_IN_HISTORIES = frozenset({Group.PARENT})
_NAMES = tuple(feature.name for feature in FEATURES if feature.name not in _NOT_INPUTS)

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainingEdits:
    """The training data of a model: two sets that are divided into folds, and two that are not."""

    main: Sequence[Sequence[Example]]
    with_ages: Sequence[Sequence[Example]]
    """Edits at the natural rate of reverts, with the ages of accounts, in the same number of folds."""
    history: Sequence[Example]
    soft: Sequence[SoftExample]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A network, and everything else that is needed to compute the probability of an edit."""

    encoder: Encoder
    vocabulary: Vocabulary | None
    network: RevertRiskNetwork
    calibration: Calibration
    thresholds: dict[str, float]

    def logits(self, examples: Sequence[Example]) -> NDArray[np.float64]:
        """Return calibrated logits."""
        texts = (
            None
            if self.vocabulary is None
            else [self.vocabulary.find(each.features.text) for each in examples]
        )
        inputs = self.encoder.encode([each.features for each in examples])
        raw = logits_of(self.network, inputs, texts)
        return self.calibration.slope * raw + self.calibration.offset

    def probabilities(self, examples: Sequence[Example]) -> NDArray[np.float64]:
        """Return calibrated probabilities, rounded as in a server."""
        return _probabilities(self.logits(examples))


def fit_ensemble(recipe: Recipe, edits: TrainingEdits, seed: int, progress: Progress) -> Fitted:
    """Train the members, join them, calibrate their logit, and add the term of the account's age.

    Raises:
        TrainingError: a part of the labelled edits has edits of one class only.

    """
    history = [_hide_groups(example, _HIDDEN_IN_HISTORIES) for example in edits.history]
    soft = [
        replace(each, features=_without_groups(each.features, _HIDDEN_IN_HISTORIES)) for each in edits.soft
    ]
    main = [example for fold in edits.main for example in fold]
    with_ages = [example for fold in edits.with_ages for example in fold]
    vocabulary = None
    if recipe.reads_words:
        vocabulary = learn_vocabulary([each.features.text for each in main], min_edits=_MIN_EDITS_WITH_NGRAM)
    for_labelled, for_students = _select_inputs(vocabulary, main, with_ages, history, soft)
    encoder = for_labelled.encoder

    soft_rows = TrainingRows.soft(encoder, soft)
    students = []
    for index in range(SOFT_MEMBERS):
        progress(f"student {index + 1} of {SOFT_MEMBERS}")
        validates = np.arange(len(soft)) % _SOFT_VALIDATION == index % _SOFT_VALIDATION
        student_seed = _SOFT_SEEDS + seed * FOLDS + index
        students.append(
            fit_member(for_students, soft_rows.select(~validates), soft_rows.select(validates), student_seed)
        )

    def student_logits(rows: TrainingRows) -> NDArray[np.float64]:
        logits: NDArray[np.float64] = np.mean(
            [logits_of(student, rows.inputs, None) for student in students], axis=0
        )
        return logits

    history_rows = TrainingRows.of(encoder, vocabulary, history, _SHARES["history"])
    parts = {
        name: [TrainingRows.of(encoder, vocabulary, fold, _SHARES[name]) for fold in folds]
        for name, folds in (("main", edits.main), ("with_ages", edits.with_ages))
    }
    members: list[RevertRiskNetwork] = []
    held_out: dict[str, list[NDArray[np.float64]]] = {name: [] for name in parts}
    for index in range(len(edits.main)):
        progress(f"network {index + 1} of {len(edits.main)}")
        rows = history_rows
        for name, folds in parts.items():
            rows += TrainingRows.concatenate([*folds[:index], *folds[index + 1 :]], _SHARES[name])
        validation = parts["main"][index] + parts["with_ages"][index]
        member = fit_member(for_labelled, rows, validation, seed * FOLDS + index)
        members.append(member)
        for name, folds in parts.items():
            own = logits_of(member, folds[index].inputs, folds[index].texts)
            held_out[name].append((1 - SOFT_SHARE) * own + SOFT_SHARE * student_logits(folds[index]))

    logits, labels = np.concatenate(held_out["main"]), labels_of(main)
    calibration = calibrate(logits, labels, BASE_RATE)
    weights = [(1 - SOFT_SHARE) / len(members)] * len(members) + [SOFT_SHARE / len(students)] * len(students)
    network = join_members([*members, *students], weights, encoder, vocabulary)
    calibrated = calibration.slope * np.concatenate(held_out["with_ages"]) + calibration.offset
    scale, weight = account_age.fit_term(calibrated, with_ages)
    # Divided by the slope: the network adds the term before the calibration, which multiplies it.
    network = account_age.add_input(network, weight / calibration.slope)
    ages = Encoder((), (scale,)).encode([each.features for each in with_ages])
    thresholds = _highest(
        choose_thresholds(_probabilities(calibration.slope * logits + calibration.offset), labels),
        choose_thresholds(_probabilities(calibrated + weight * ages[:, 0]), labels_of(with_ages)),
    )
    return Fitted(replace(encoder, additive=(scale,)), vocabulary, network, calibration, thresholds)


def _highest(*thresholds: dict[str, float]) -> dict[str, float]:
    """Return the highest threshold of each name, so that its false positive rate is kept on every set."""
    return {name: max(each[name] for each in thresholds) for name in thresholds[0]}


def _select_inputs(
    vocabulary: Vocabulary | None,
    main: Sequence[Example],
    with_ages: Sequence[Example],
    history: Sequence[Example],
    soft: Sequence[SoftExample],
) -> tuple[InputSelection, InputSelection]:
    """Choose the features that labelled members and students read, and whether they combine them.

    A labelled member combines the features that enough of the main set has. A feature that varies only in the other
    labelled sets adds to its logit by itself. A student combines all features that vary in the teachers' edits. A
    feature that hardly varies is left out, since its weight would be noise.
    """
    in_main, in_soft = _values(main), _values(soft)
    in_labelled = np.concatenate([in_main, _values(with_ages), _values(history)])
    combined = frozenset(
        name
        for name, column in zip(_NAMES, in_main.T, strict=True)
        if np.isfinite(column).mean() >= _MIN_KNOWN_SHARE and _varies(column)
    )
    labelled = frozenset(name for name, column in zip(_NAMES, in_labelled.T, strict=True) if _varies(column))
    for_students = frozenset(name for name, column in zip(_NAMES, in_soft.T, strict=True) if _varies(column))
    names = [name for name in _NAMES if name in labelled | for_students]
    # Without the edits with ages: they have few features, and would determine the scale of those.
    scaled_by: list[Example | SoftExample] = [*main, *history, *soft]
    encoder = fit_encoder(names, [], [each.features for each in scaled_by])
    return (
        InputSelection(encoder, vocabulary, combined, labelled - combined),
        InputSelection(encoder, None, for_students),
    )


def _values(examples: Sequence[Example | SoftExample]) -> NDArray[np.float64]:
    features: list[Features] = [each.features for each in examples]
    return raw_values(_NAMES, features)


def _varies(column: NDArray[np.float64]) -> bool:
    _, counts = np.unique(column[np.isfinite(column)], return_counts=True)
    return bool(len(counts)) and int(counts.sum() - counts.max()) >= _MIN_VARYING_EDITS


def _hide_groups(example: Example, groups: frozenset[Group]) -> Example:
    return replace(example, features=_without_groups(example.features, groups))


def _without_groups(features: Features, groups: frozenset[Group]) -> Features:
    """Return features without some groups and without the words: the words of a few pages say nothing about others."""
    hidden = {feature.name for feature in FEATURES if feature.group in groups}
    values = {name: None if name in hidden else value for name, value in features.values.items()}
    return Features(values, features.changed_bytes)


def _probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return sigmoid(logits).round(DECIMALS)
