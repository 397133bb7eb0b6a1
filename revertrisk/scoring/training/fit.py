"""Fits a member of the network, joins members into one network, and calibrates logits."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from revertrisk.scoring.artifact import Calibration, NetworkShape
from revertrisk.scoring.encoding import Encoder
from revertrisk.scoring.feature_table import FEATURES, Group
from revertrisk.scoring.network import Bags, RevertRiskNetwork
from revertrisk.scoring.training.examples import Example, TrainingError
from revertrisk.scoring.training.logistic import logistic, sigmoid
from revertrisk.scoring.training.soft_labels import SoftExample
from revertrisk.scoring.vocabulary import TextRows, Vocabulary

HIDDEN = 32
SOFT_SPREAD = 2.0
"""A soft label is sigmoid(this * the teachers' logit). With it, the logits of students and labelled members have
about the same deviation."""
_DROPOUT = 0.3
_LEARNING_RATE = 2e-3
_WEIGHT_DECAY = 0.05
_BATCH = 256
_EPOCHS = 60
_PATIENCE = 10
_OUTPUTS = frozenset({"linear", "bias", "output_weight", "words.weight"})
"""If all of these tensors are multiplied by a factor, so is the logit of the member."""
_NGRAM_DROPOUT = 0.1
_TEXT_DROPOUT = 0.2
"""The share of cases in which all words are hidden, as if they were in a language that the model does not know."""
_TEXT_GROUPS = (Group.WORDS, Group.WORDS, Group.COMMENT)
"""For each of `vocabulary.SIDES`, the group of features with which it is hidden."""
_GROUP_DROPOUT = {
    Group.WORDS: 0.05,
    Group.REFERENCES: 0.2,
    Group.MARKUP: 0.2,
    Group.COMMENT: 0.2,
    Group.EDIT: 0.2,
    Group.USER: 0.2,
    Group.USER_HISTORY: 0.3,
    Group.PARENT: 0.3,
    Group.PAGE: 0.3,
}
"""The share of cases in which a group of features is hidden, so that the model also works without the group."""


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Encoded edits with labels and weights, in the same order."""

    inputs: NDArray[np.float64]
    labels: NDArray[np.float64]
    """0 and 1, or the soft labels of the teachers, between 0 and 1."""
    weights: NDArray[np.float64]
    texts: tuple[TextRows, ...] | None
    """The known n-grams of each edit; None for a model that reads no words."""

    @classmethod
    def of(
        cls, encoder: Encoder, vocabulary: Vocabulary | None, examples: Sequence[Example], weight: float
    ) -> "TrainingRows":
        """Encode examples. Their weights sum to `weight`, half of it in each class."""
        labels = np.array([example.label for example in examples], dtype=np.bool_)
        features = [example.features for example in examples]
        texts = None if vocabulary is None else tuple(vocabulary.find(each.text) for each in features)
        weights = balanced_weights(labels, weight)
        return cls(encoder.encode(features), labels.astype(np.float64), weights, texts)

    @classmethod
    def soft(cls, encoder: Encoder, examples: Sequence[SoftExample]) -> "TrainingRows":
        """Encode edits with soft labels, without their words. All have the same weight."""
        logits = np.array([example.logit for example in examples], dtype=np.float64)
        inputs = encoder.encode([example.features for example in examples])
        return cls(inputs, sigmoid(SOFT_SPREAD * logits), np.ones(len(examples)), None)

    @classmethod
    def concatenate(cls, parts: Sequence["TrainingRows"], weight: float) -> "TrainingRows":
        """Concatenate labelled parts of one set. Their weights then sum to `weight`, half of it in each class."""
        texts = [part.texts for part in parts]
        labels = np.concatenate([part.labels for part in parts])
        return cls(
            np.concatenate([part.inputs for part in parts]),
            labels,
            balanced_weights(labels > 0, weight),
            tuple(chain(*(each for each in texts if each is not None))) if None not in texts else None,
        )

    def select(self, chosen: NDArray[np.bool_]) -> "TrainingRows":
        """Return some of the rows, without their words."""
        return TrainingRows(self.inputs[chosen], self.labels[chosen], self.weights[chosen], None)

    def __add__(self, other: "TrainingRows") -> "TrainingRows":
        """Append the rows of another set."""
        texts = None if self.texts is None or other.texts is None else (*self.texts, *other.texts)
        return TrainingRows(
            np.concatenate([self.inputs, other.inputs]),
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.weights, other.weights]),
            texts,
        )


@dataclass(frozen=True, slots=True)
class InputSelection:
    """The inputs that a member reads: core features in `combined` or `added`, and no others.

    The hidden layer reads only features in `combined`. A feature in `added` is known for few sets of edits only; it has
    a weight of its own in the linear part, and is combined with no other feature.
    """

    encoder: Encoder
    vocabulary: Vocabulary | None
    combined: frozenset[str]
    added: frozenset[str] = frozenset()

    def masks(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return 1 for each input that the hidden layer reads, shape (core inputs,), and the linear part, (inputs,)."""
        names = [scale.name for scale in self.encoder.core]
        combined = [float(name in self.combined) for name in names]
        values = [float(name in self.combined | self.added) for name in names]
        # Whether an added feature is known is not read: files differ in their features, so it would tell the file.
        linear = [*values, *combined, *[0.0] * len(self.encoder.additive)]
        return torch.tensor([*combined, *combined], dtype=torch.float64), torch.tensor(
            linear, dtype=torch.float64
        )


def balanced_weights(labels: NDArray[np.bool_], total: float) -> NDArray[np.float64]:
    """Return weights that sum to `total` / 2 in each class, so that the file of an edit says nothing about its label.

    Raises:
        TrainingError: one of the classes is empty.

    """
    if labels.all() or not labels.any():
        raise TrainingError("labels: expected edits of both classes in every part of the training data")
    positive = labels.mean()
    weights: NDArray[np.float64] = np.where(labels, 0.5 / positive, 0.5 / (1 - positive))
    return weights * (total / len(labels))


def fit_member(
    selection: InputSelection, training: TrainingRows, validation: TrainingRows, seed: int
) -> RevertRiskNetwork:
    """Train one member; return it with the weights of the epoch with the lowest loss on the validation rows."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _fit(selection, training, validation, torch.Generator().manual_seed(seed))


def _fit(
    selection: InputSelection, training: TrainingRows, validation: TrainingRows, generator: torch.Generator
) -> RevertRiskNetwork:
    encoder, vocabulary, masks = selection.encoder, selection.vocabulary, selection.masks()
    network = _network(encoder, vocabulary, members=1, dropout=_DROPOUT)
    # A step of the optimizer also changes the weights of inputs that are not read, so they are reset after each step.
    _mask(network, *masks)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    columns, rates = _group_dropout(encoder)
    inputs, labels, weights = _tensors(training)
    texts = None if vocabulary is None or training.texts is None else _Texts(training.texts, vocabulary)
    unseen = None if validation.texts is None else Bags.of(validation.texts)
    best, best_loss, waited = _state(network), float("inf"), 0
    for _ in range(_EPOCHS):
        network.train()
        for batch in torch.split(torch.randperm(len(inputs), generator=generator), _BATCH):
            hidden = torch.rand(len(batch), len(rates), generator=generator, dtype=torch.float64) < rates
            visible = 1.0 - (hidden.to(torch.float64) @ columns).clamp(max=1.0)
            bags = None if texts is None else texts.batch(batch, hidden, generator)
            loss = _loss(network(inputs[batch] * visible, bags), labels[batch], weights[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            _mask(network, *masks)
        network.eval()
        with torch.no_grad():
            held_out, labels_held_out, weights_held_out = _tensors(validation)
            loss_value = float(_loss(network(held_out, unseen), labels_held_out, weights_held_out))
        if loss_value < best_loss - 1e-5:
            best, best_loss, waited = _state(network), loss_value, 0
        else:
            waited += 1
            if waited >= _PATIENCE:
                break
    network.load_state_dict(best)
    return network.eval()


@torch.no_grad()
def _mask(network: RevertRiskNetwork, hidden: torch.Tensor, linear: torch.Tensor) -> None:
    """Set the weights of inputs that a member does not read to 0."""
    network.hidden_weight.mul_(hidden[:, None])
    network.linear.mul_(linear)


class _Texts:
    """The n-grams of all training edits in one array, from which batches are taken."""

    def __init__(self, texts: Sequence[TextRows], vocabulary: Vocabulary) -> None:
        self._all = Bags.of(texts)
        self._lengths = torch.tensor([len(text.rows) for text in texts])
        groups = list(_GROUP_DROPOUT)
        self._groups = torch.tensor([groups.index(group) for group in _TEXT_GROUPS])
        self._starts = torch.tensor(vocabulary.starts)

    def batch(self, edits: torch.Tensor, hidden: torch.Tensor, generator: torch.Generator) -> Bags:
        """Return the n-grams of a batch, with weight 0 for those of hidden groups and of hidden texts, and for dropout.

        `edits` are indices, shape (batch,). `hidden` has a column for each of `_GROUP_DROPOUT`, shape (batch, groups).
        """
        lengths = self._lengths[edits]
        offsets = torch.cumsum(lengths, 0) - lengths
        owner = torch.repeat_interleave(torch.arange(len(edits)), lengths)
        places = torch.arange(len(owner)) - offsets[owner] + self._all.offsets[edits][owner]
        rows, weights = self._all.rows[places], self._all.weights[places]
        sides = torch.searchsorted(self._starts, rows, right=True) - 1
        shown = ~hidden[:, self._groups]  # (edits, sides)
        shown &= (torch.rand(len(edits), generator=generator) >= _TEXT_DROPOUT).unsqueeze(1)
        kept = torch.rand(len(rows), generator=generator) >= _NGRAM_DROPOUT
        visible = (shown[owner, sides] & kept).to(weights.dtype) / (1 - _NGRAM_DROPOUT)
        return Bags(rows, weights * visible, offsets)


def join_members(
    members: Sequence[RevertRiskNetwork],
    weights: Sequence[float],
    encoder: Encoder,
    vocabulary: Vocabulary | None,
) -> RevertRiskNetwork:
    """Join members into the one network that is served. Its logit is the weighted sum of their logits.

    A member that reads no words has weight 0 for each n-gram.
    """
    network = _network(encoder, vocabulary, members=len(members))
    state = {}
    for name, tensor in network.state_dict().items():
        # Members are the columns of the n-gram table, and the first axis of all other tensors.
        axis = int(name.startswith("words."))
        parts = []
        for member, weight in zip(members, weights, strict=True):
            own = member.state_dict().get(name)
            # The network returns the mean of the members' logits, so weights are multiplied by their number.
            scale = weight * len(members) if name in _OUTPUTS else 1.0
            parts.append(torch.zeros(len(tensor), 1, dtype=tensor.dtype) if own is None else own * scale)
        state[name] = torch.cat(parts, dim=axis)
    network.load_state_dict(state)
    return network.eval()


def logits_of(
    network: RevertRiskNetwork, inputs: NDArray[np.float64], texts: Sequence[TextRows] | None
) -> NDArray[np.float64]:
    """Return the logits of encoded edits, before calibration."""
    with torch.inference_mode():
        bags = None if texts is None else Bags.of(texts)
        logits: NDArray[np.float64] = network(torch.from_numpy(inputs), bags).numpy()
    return logits


def _network(
    encoder: Encoder, vocabulary: Vocabulary | None, *, members: int, dropout: float = 0.0
) -> RevertRiskNetwork:
    known = None if vocabulary is None else len(vocabulary)
    shape = NetworkShape(hidden=HIDDEN, members=members)
    cores = len(encoder.core)
    return RevertRiskNetwork(encoder.width, 2 * cores, shape, known_ngrams=known, dropout=dropout)


def calibrate(logits: NDArray[np.float64], labels: NDArray[np.bool_], base_rate: float) -> Calibration:
    """Fit a slope and an offset to held-out logits (Platt scaling), for a share of positives of `base_rate`.

    Platt, "Probabilistic outputs for support vector machines", 1999. Each class is weighted to its share at the base
    rate, since a balanced sample has another share by construction. The edits within a class are assumed to be like
    those of the sample.
    """
    positive = labels.mean()
    weights = np.where(labels, base_rate / positive, (1 - base_rate) / (1 - positive))
    line = logistic(np.stack([logits, np.ones_like(logits)], axis=1), labels, weights)
    return Calibration(slope=float(line[0]), offset=float(line[1]), base_rate=base_rate)


def _group_dropout(encoder: Encoder) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the inputs of each group, shape (groups, inputs), and its dropout rate, shape (groups,)."""
    groups = {feature.name: feature.group for feature in FEATURES}
    core = [groups[scale.name] for scale in encoder.core]
    inputs = [*core, *core, *(groups[scale.name] for scale in encoder.additive)]
    columns = torch.tensor(
        [[group is each for each in inputs] for group in _GROUP_DROPOUT], dtype=torch.float64
    )
    return columns, torch.tensor(list(_GROUP_DROPOUT.values()), dtype=torch.float64)


def _tensors(rows: TrainingRows) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return (
        torch.from_numpy(rows.inputs),
        torch.from_numpy(rows.labels),
        torch.from_numpy(rows.weights / rows.weights.mean()),
    )


def _loss(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return nn.functional.binary_cross_entropy_with_logits(logits, labels, weights)


def _state(network: RevertRiskNetwork) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}
