"""The network of a model: from encoded features, and the n-grams of models that read words, to one logit."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from revertrisk.scoring.artifact import NetworkShape
from revertrisk.scoring.vocabulary import TextRows


class Bags(NamedTuple):
    """The known n-grams of several edits in one list, as `torch.nn.EmbeddingBag` takes them."""

    rows: torch.Tensor
    weights: torch.Tensor
    offsets: torch.Tensor
    """The index of the first n-gram of each edit."""

    @classmethod
    def of(cls, texts: Sequence[TextRows], device: torch.device | None = None) -> "Bags":
        """Put the n-grams of several edits into one list on a device."""
        lengths = [len(text.rows) for text in texts]
        return cls(
            torch.from_numpy(np.concatenate([text.rows for text in texts])).to(device),
            torch.from_numpy(np.concatenate([text.weights for text in texts])).to(device),
            torch.from_numpy(np.cumsum([0, *lengths[:-1]])).to(device),
        )


class Attributions(NamedTuple):
    """What each input and each n-gram of one edit adds to the logit of a reference input."""

    base: float
    """The logit of the reference input without words."""
    inputs: np.ndarray[tuple[int], np.dtype[np.float64]]
    ngrams: np.ndarray[tuple[int], np.dtype[np.float64]]


class FoldedNetwork(NamedTuple):
    """A trained network in the form that is served; see `RevertRiskNetwork.folded`."""

    hidden_weight: torch.Tensor
    hidden_bias: torch.Tensor
    output_weight: torch.Tensor
    linear: torch.Tensor
    bias: torch.Tensor
    words: torch.Tensor | None

    def __call__(self, inputs: torch.Tensor, bags: Bags | None = None) -> torch.Tensor:
        """Return calibrated logits, shape (edits,), for inputs of shape (edits, inputs) and the n-grams."""
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
    """An ensemble of small networks (members). The logit of the model is the mean of theirs.

    The logit of a member is the sum of a linear function of all inputs, of one hidden layer over the first
    `core_inputs` inputs, and of a weight for each known n-gram. The inputs after `core_inputs` are additive: only the
    linear function reads them. All numbers are float64: sums that are taken in another order, in another batch, then
    differ far below the six decimals of a probability.
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
            # The weights start at 0, so that an n-gram weighs only what training has learnt about it.
            table = torch.zeros(known_ngrams, members, dtype=double)
            self.words = nn.EmbeddingBag.from_pretrained(table, freeze=False, mode="sum")

    @staticmethod
    def shapes(
        inputs: int, core_inputs: int, shape: NetworkShape, *, known_ngrams: int | None
    ) -> dict[str, tuple[int, ...]]:
        """Return the shape of each tensor of such a network by name, without creating the network."""
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
        """Return logits, shape (edits,), for inputs of shape (edits, inputs) and the n-grams of the edits."""
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
        """Return `slope` * logit + `offset` as a function with as few tensor operations as possible.

        The mean of the members is one network whose hidden layer has the hidden units of all members. For a small batch
        the time depends on the number of operations, not on their size.
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
    def attributions(self, row: torch.Tensor, reference: torch.Tensor, text: TextRows | None) -> Attributions:
        """Divide the logit of one edit among its inputs; `row` and `reference` have shape (inputs,).

        These are integrated gradients (Sundararajan, Taly and Yan, 2017, https://arxiv.org/abs/1703.01365) on the
        straight line from `reference` to `row`. With one layer of ReLUs the integral has a closed form: the gradient of
        a unit counts for the share of the line on which the unit is active, (relu(after) - relu(before)) /
        (after - before). So the base and all parts sum to the logit, except for rounding.
        """
        change = row - reference
        before, after = self._hidden(reference), self._hidden(row)  # (members, hidden)
        distance = after - before
        moved = distance.abs() > 0  # a unit that does not move is active on all of the line, or on none
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
        return Attributions(
            float(self(reference.unsqueeze(0))), (slopes.mean(dim=0) * change).cpu().numpy(), ngrams
        )

    def _hidden(self, row: torch.Tensor) -> torch.Tensor:
        core = row[: self.core_inputs].expand(self.shape.members, 1, -1)
        return (torch.matmul(core, self.hidden_weight) + self.hidden_bias).squeeze(1)
