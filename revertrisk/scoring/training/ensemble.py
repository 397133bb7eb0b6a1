"""The members of a model: what each learns from, and how they become one network with one calibration.

Most members learn from labels, each without one fold of the edits, which stops it early and calibrates the whole.
The others learn what the teachers think and read no words. The age of an account comes last, as one bounded term.
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
from revertrisk.scoring.training.evaluate import thresholds
from revertrisk.scoring.training.examples import Example, labels_of
from revertrisk.scoring.training.fit import (
    Reading,
    TrainingRows,
    calibrate,
    fit_member,
    join,
    logits_of,
)
from revertrisk.scoring.training.logistic import sigmoid
from revertrisk.scoring.training.recipes import Recipe
from revertrisk.scoring.training.soft_labels import SoftExample
from revertrisk.scoring.vocabulary import Vocabulary, learn

BASE_RATE = 0.074
"""The share of vandalism among edits that the English corpus was drawn from; scores are calibrated to it."""
FOLDS = 5
"""Members that learn from labels: each without one fold."""
SOFT_MEMBERS = 3
SOFT_SHARE = 0.4
"""How much of the logit comes from the members that learn from the teachers."""

_SHARES = {"main": 0.4, "rated": 0.3, "history": 0.3}
"""How much of a labelled member's training weight each set has."""
_LEAST_KNOWN = 0.3
"""A feature that labelled members combine is known for at least this share of the main set."""
_LEAST_VARIATION = 50
"""A feature has some other value than its most frequent one in at least this many edits."""
_LEAST_EDITS_WITH_NGRAM = 3
_SOFT_VALIDATION = 5
"""One soft-labelled edit of so many stops a member early."""
_SOFT_SEEDS = 1_000
_NOT_TAUGHT = frozenset({account_age.FEATURE, "user_edit_count"})
"""The age is a term of its own. Edit counts as of the edit no training file has."""
# How fast one page is edited, and by whom, says nothing of other pages.
_WITHHELD_FROM_PAGES = frozenset({Group.PARENT})
_NAMES = tuple(feature.name for feature in FEATURES if feature.name not in _NOT_TAUGHT)

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainingEdits:
    """What a model learns from: folds of the two sets that are divided, and what is taken as a whole."""

    main: Sequence[Sequence[Example]]
    rated: Sequence[Sequence[Example]]
    """Edits at the natural rate with the ages of accounts, in as many folds."""
    history: Sequence[Example]
    soft: Sequence[SoftExample]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A network with all that turns an edit into its probability."""

    encoder: Encoder
    vocabulary: Vocabulary | None
    network: RevertRiskNetwork
    calibration: Calibration
    limits: dict[str, float]

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
        """Return probabilities, rounded as a server rounds them."""
        return _probabilities(self.logits(examples))


def fit_ensemble(recipe: Recipe, edits: TrainingEdits, seed: int, progress: Progress) -> Fitted:
    """Train the members, join them, calibrate what they say together, and add the term of the account's age.

    Raises:
        TrainingError: a part of the labelled edits has one class only.

    """
    history = [_hidden(example, _WITHHELD_FROM_PAGES) for example in edits.history]
    soft = [replace(each, features=_without(each.features, _WITHHELD_FROM_PAGES)) for each in edits.soft]
    main = [example for fold in edits.main for example in fold]
    rated = [example for fold in edits.rated for example in fold]
    vocabulary = None
    if recipe.reads_words:
        vocabulary = learn([each.features.text for each in main], least=_LEAST_EDITS_WITH_NGRAM)
    labelled, taught = _readings(vocabulary, main, rated, history, soft)
    encoder = labelled.encoder

    soft_rows = TrainingRows.soft(encoder, soft)
    students = []
    for index in range(SOFT_MEMBERS):
        progress(f"student {index + 1} of {SOFT_MEMBERS}")
        stops = np.arange(len(soft)) % _SOFT_VALIDATION == index % _SOFT_VALIDATION
        number = _SOFT_SEEDS + seed * FOLDS + index
        students.append(fit_member(taught, soft_rows.only(~stops), soft_rows.only(stops), number))

    def opinion(rows: TrainingRows) -> NDArray[np.float64]:
        logits: NDArray[np.float64] = np.mean(
            [logits_of(student, rows.inputs, None) for student in students], axis=0
        )
        return logits

    past = TrainingRows.of(encoder, vocabulary, history, _SHARES["history"])
    parts = {
        name: [TrainingRows.of(encoder, vocabulary, fold, _SHARES[name]) for fold in folds]
        for name, folds in (("main", edits.main), ("rated", edits.rated))
    }
    members: list[RevertRiskNetwork] = []
    unseen: dict[str, list[NDArray[np.float64]]] = {name: [] for name in parts}
    for index in range(len(edits.main)):
        progress(f"network {index + 1} of {len(edits.main)}")
        rows = past
        for name, folds in parts.items():
            rows += TrainingRows.together([*folds[:index], *folds[index + 1 :]], _SHARES[name])
        validation = parts["main"][index] + parts["rated"][index]
        member = fit_member(labelled, rows, validation, seed * FOLDS + index)
        members.append(member)
        for name, folds in parts.items():
            said = logits_of(member, folds[index].inputs, folds[index].texts)
            unseen[name].append((1 - SOFT_SHARE) * said + SOFT_SHARE * opinion(folds[index]))

    logits, labels = np.concatenate(unseen["main"]), labels_of(main)
    calibration = calibrate(logits, labels, BASE_RATE)
    weights = [(1 - SOFT_SHARE) / len(members)] * len(members) + [SOFT_SHARE / len(students)] * len(students)
    network = join([*members, *students], weights, encoder, vocabulary)
    calibrated = calibration.slope * np.concatenate(unseen["rated"]) + calibration.offset
    scale, weight = account_age.term(calibrated, rated)
    network = account_age.added(network, weight / calibration.slope)
    ages = Encoder((), (scale,)).encode([each.features for each in rated])
    limits = _highest(
        thresholds(_probabilities(calibration.slope * logits + calibration.offset), labels),
        thresholds(_probabilities(calibrated + weight * ages[:, 0]), labels_of(rated)),
    )
    return Fitted(replace(encoder, additive=(scale,)), vocabulary, network, calibration, limits)


def _highest(*limits: dict[str, float]) -> dict[str, float]:
    """Return the thresholds that keep their rates on each of several sets."""
    return {name: max(each[name] for each in limits) for name in limits[0]}


def _readings(
    vocabulary: Vocabulary | None,
    main: Sequence[Example],
    rated: Sequence[Example],
    history: Sequence[Example],
    soft: Sequence[SoftExample],
) -> tuple[Reading, Reading]:
    """Choose the features that the data can teach something about, and what each kind of member does with them.

    A labelled member combines what is known for a good part of the main set, and takes by itself what varies in
    the other labelled sets only. A student combines whatever varies in the teachers' edits. A feature that hardly
    ever varies is left out: its weight would be whatever chance gave it.
    """
    in_main, in_soft = _raw(main), _raw(soft)
    in_labelled = np.concatenate([in_main, _raw(rated), _raw(history)])
    combined = frozenset(
        name
        for name, column in zip(_NAMES, in_main.T, strict=True)
        if np.isfinite(column).mean() >= _LEAST_KNOWN and _varies(column)
    )
    labelled = frozenset(name for name, column in zip(_NAMES, in_labelled.T, strict=True) if _varies(column))
    taught = frozenset(name for name, column in zip(_NAMES, in_soft.T, strict=True) if _varies(column))
    names = [name for name in _NAMES if name in labelled | taught]
    # Not by the rated edits: they have hardly any feature, and would set the scale of those few.
    scaled_by: list[Example | SoftExample] = [*main, *history, *soft]
    encoder = fit_encoder(names, [], [each.features for each in scaled_by])
    return (
        Reading(encoder, vocabulary, combined, labelled - combined),
        Reading(encoder, None, taught),
    )


def _raw(examples: Sequence[Example | SoftExample]) -> NDArray[np.float64]:
    features: list[Features] = [each.features for each in examples]
    return raw_values(_NAMES, features)


def _varies(column: NDArray[np.float64]) -> bool:
    _, counts = np.unique(column[np.isfinite(column)], return_counts=True)
    return bool(len(counts)) and int(counts.sum() - counts.max()) >= _LEAST_VARIATION


def _hidden(example: Example, groups: frozenset[Group]) -> Example:
    return replace(example, features=_without(example.features, groups))


def _without(features: Features, groups: frozenset[Group]) -> Features:
    """Hide groups of facts, and the words: those of a few pages teach nothing about others."""
    hidden = {feature.name for feature in FEATURES if feature.group in groups}
    values = {name: None if name in hidden else value for name, value in features.values.items()}
    return Features(values, features.changed_bytes)


def _probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return sigmoid(logits).round(DECIMALS)
