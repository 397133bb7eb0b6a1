"""The network behind the scores: structure, and words where a model reads them, as one logit."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from revertrisk.scoring.artifact import NetworkShape
from revertrisk.scoring.vocabulary import TextRows


class Bags(NamedTuple):
    """The known n-grams of several edits, one after another."""

    rows: torch.Tensor
    weights: torch.Tensor
    offsets: torch.Tensor
    """Where each edit's n-grams begin."""

    @classmethod
    def of(cls, texts: Sequence[TextRows], device: torch.device | None = None) -> "Bags":
        """Put edits side by side on a device."""
        lengths = [len(text.rows) for text in texts]
        return cls(
            torch.from_numpy(np.concatenate([text.rows for text in texts])).to(device),
            torch.from_numpy(np.concatenate([text.weights for text in texts])).to(device),
            torch.from_numpy(np.cumsum([0, *lengths[:-1]])).to(device),
        )


class Parts(NamedTuple):
    """What each input and each n-gram adds to the logit of one edit, beyond that of a reference input."""

    base: float
    """The logit of the reference input, without any words."""
    inputs: np.ndarray[tuple[int], np.dtype[np.float64]]
    ngrams: np.ndarray[tuple[int], np.dtype[np.float64]]


class FoldedNetwork(NamedTuple):
    """A trained network as it is served; see `RevertRiskNetwork.folded`."""

    hidden_weight: torch.Tensor
    hidden_bias: torch.Tensor
    output_weight: torch.Tensor
    linear: torch.Tensor
    bias: torch.Tensor
    words: torch.Tensor | None

    def __call__(self, inputs: torch.Tensor, bags: Bags | None = None) -> torch.Tensor:
        """Return logits of shape (edits,) for inputs of shape (edits, inputs) and the edits' words."""
        core = inputs[:, : len(self.hidden_weight)]
        hidden = torch.addmm(self.hidden_bias, core, self.hidden_weight).relu_()
        logits = torch.addmv(torch.addmv(self.bias, inputs, self.linear), hidden, self.output_weight)
        if self.words is not None and bags is not None:
            found = functional.embedding_bag(
                bags.rows, self.words, bags.offsets, mode="sum", per_sample_weights=bags.weights
            )
            logits += found.squeeze(1)
        return logits


class RevertRiskNetwork(nn.Module):
    """A few small networks side by side, whose mean logit is the model's.

    Each member adds a linear function of all inputs, one hidden layer over the first `core_inputs` (what
    comes after those is additive), and a weight for each known n-gram. Everything is float64: sums then
    differ between batches only far beyond the decimals that are kept.
    """

    def __init__(
        self,
        inputs: int,
        core_inputs: int,
        shape: NetworkShape,
        *,
        known_ngrams: int | None,
        dropout: float = 0.0,
    ) -> None:
        """``known_ngrams`` is None for a network that reads no words."""
        super().__init__()
        self.core_inputs = core_inputs
        self.shape = shape
        members, hidden, double = shape.members, shape.hidden, torch.float64
        self.linear = nn.Parameter(torch.zeros(members, inputs, dtype=double))
        self.bias = nn.Parameter(torch.zeros(members, dtype=double))
        spread = core_inputs**-0.5
        self.hidden_weight = nn.Parameter(torch.randn(members, core_inputs, hidden, dtype=double) * spread)
        self.hidden_bias = nn.Parameter(torch.zeros(members, 1, hidden, dtype=double))
        self.output_weight = nn.Parameter(torch.randn(members, hidden, 1, dtype=double) * hidden**-0.5)
        self.dropout = nn.Dropout(dropout)
        self.words: nn.EmbeddingBag | None = None
        if known_ngrams is not None:
            # From zero: the weight of an n-gram is what training moved it to, and nothing else.
            table = torch.zeros(known_ngrams, members, dtype=double)
            self.words = nn.EmbeddingBag.from_pretrained(table, freeze=False, mode="sum")

    @staticmethod
    def shapes(
        inputs: int, core_inputs: int, shape: NetworkShape, *, known_ngrams: int | None
    ) -> dict[str, tuple[int, ...]]:
        """Return the shape of each tensor of such a network by its name, without making one."""
        members, hidden = shape.members, shape.hidden
        shapes: dict[str, tuple[int, ...]] = {
            "linear": (members, inputs),
            "bias": (members,),
            "hidden_weight": (members, core_inputs, hidden),
            "hidden_bias": (members, 1, hidden),
            "output_weight": (members, hidden, 1),
        }
        return shapes if known_ngrams is None else shapes | {"words.weight": (known_ngrams, members)}

    def forward(self, inputs: torch.Tensor, bags: Bags | None = None) -> torch.Tensor:
        """Return logits of shape (edits,) for inputs of shape (edits, inputs) and the edits' words."""
        linear = inputs @ self.linear.T + self.bias  # (edits, members)
        core = inputs[:, : self.core_inputs].unsqueeze(0)
        hidden = torch.relu(torch.matmul(core, self.hidden_weight) + self.hidden_bias)
        combined = torch.matmul(self.dropout(hidden), self.output_weight).squeeze(2)  # (members, edits)
        logits = linear + combined.T
        if self.words is not None and bags is not None:
            logits = logits + self.words(bags.rows, bags.offsets, per_sample_weights=bags.weights)
        mean: torch.Tensor = logits.mean(dim=1)
        return mean

    @torch.no_grad()
    def folded(self, slope: float, offset: float) -> "FoldedNetwork":
        """Return the same function, times `slope` plus `offset`, in as few operations as it takes.

        The members' mean is one network whose hidden layer holds all of theirs. In one small batch what counts
        is the number of operations, not their size.
        """
        scale = slope / self.shape.members
        return FoldedNetwork(
            hidden_weight=self.hidden_weight.permute(1, 0, 2).reshape(self.core_inputs, -1).contiguous(),
            hidden_bias=self.hidden_bias.reshape(-1).clone(),
            output_weight=self.output_weight.reshape(-1) * scale,
            linear=self.linear.sum(dim=0) * scale,
            bias=self.bias.sum().reshape(1) * scale + offset,
            words=None if self.words is None else self.words.weight.sum(dim=1, keepdim=True) * scale,
        )

    @torch.no_grad()
    def parts(self, row: torch.Tensor, reference: torch.Tensor, text: TextRows | None) -> Parts:
        """Divide the logit of one edit among its inputs, of shape (inputs,), exactly.

        These are integrated gradients from `reference` to `row`. With one layer of ReLUs the integral has a
        closed form: a unit passes on the share of the way on which it is active. So the parts and the base sum
        to the logit without any error but that of rounding.
        """
        change = row - reference
        before, after = self._hidden(reference), self._hidden(row)  # (members, hidden)
        distance = after - before
        moved = distance.abs() > 0
        active = torch.where(
            moved,
            (torch.relu(after) - torch.relu(before)) / torch.where(moved, distance, 1.0),
            (after > 0).to(after.dtype),
        )
        slopes = self.linear.clone()  # (members, inputs)
        slopes[:, : self.core_inputs] += torch.einsum(
            "mih,mh->mi", self.hidden_weight, active * self.output_weight.squeeze(2)
        )
        ngrams = np.empty(0)
        if self.words is not None and text is not None:
            ngrams = self.words.weight.mean(dim=1).cpu().numpy()[text.rows] * text.weights
        return Parts(float(self(reference.unsqueeze(0))), (slopes.mean(dim=0) * change).cpu().numpy(), ngrams)

    def _hidden(self, row: torch.Tensor) -> torch.Tensor:
        core = row[: self.core_inputs].expand(self.shape.members, 1, -1)
        return (torch.matmul(core, self.hidden_weight) + self.hidden_bias).squeeze(1)
