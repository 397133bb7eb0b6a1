"""The torch model behind the scores: its network, and the classifier that serves it from an artefact."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import load_file
from torch import nn

from revert_risk.artifact import WEIGHTS, ArtifactError, Metadata, NetworkShape, load_metadata
from revert_risk.features import Features, extract
from revert_risk.prediction import Prediction
from revert_risk.revision import Revision


class RevertRiskNetwork(nn.Module):
    """A few small networks side by side, whose mean logit is the model's.

    Each member adds a linear function of all inputs and one hidden layer over the first `core_inputs`; what
    comes after those is additive. Everything is float64: sums then differ between batches only far beyond
    the decimals that are kept.
    """

    def __init__(
        self, inputs: int, core_inputs: int, *, hidden: int, members: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.core_inputs = core_inputs
        self.shape = NetworkShape(hidden=hidden, members=members)
        double = torch.float64
        self.linear = nn.Parameter(torch.zeros(members, inputs, dtype=double))
        self.bias = nn.Parameter(torch.zeros(members, dtype=double))
        spread = core_inputs**-0.5
        self.hidden_weight = nn.Parameter(torch.randn(members, core_inputs, hidden, dtype=double) * spread)
        self.hidden_bias = nn.Parameter(torch.zeros(members, 1, hidden, dtype=double))
        self.output_weight = nn.Parameter(torch.randn(members, hidden, 1, dtype=double) * hidden**-0.5)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (edits,) for inputs of shape (edits, inputs)."""
        linear = inputs @ self.linear.T + self.bias  # (edits, members)
        core = inputs[:, : self.core_inputs].unsqueeze(0)
        hidden = torch.relu(torch.matmul(core, self.hidden_weight) + self.hidden_bias)
        combined = torch.matmul(self.dropout(hidden), self.output_weight).squeeze(2)  # (members, edits)
        return (linear + combined.T).mean(dim=1)


class TorchClassifier:
    """A trained network with its preprocessing and calibration: a `Classifier`.

    Safe to call from several threads. How many threads torch itself uses is the caller's to set.
    """

    def __init__(self, network: RevertRiskNetwork, metadata: Metadata, device: torch.device) -> None:
        self._network = network.to(device).eval()
        self._metadata = metadata
        self._device = device

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> Self:
        """Load an artefact folder onto a torch device; raise `ArtifactError` naming what is wrong with it."""
        metadata = load_metadata(path)
        encoder = metadata.encoder
        network = RevertRiskNetwork(
            encoder.width,
            2 * len(encoder.core),
            hidden=metadata.network.hidden,
            members=metadata.network.members,
        )
        try:
            network.load_state_dict(load_file(path / WEIGHTS))
        except RuntimeError as exc:  # torch's answer to missing, surplus and misshapen tensors
            raise ArtifactError(
                path / WEIGHTS, "tensors", "do not fit the network that metadata.json describes"
            ) from exc
        return cls(network, metadata, torch.device(device))

    @property
    def name(self) -> str:
        """The model's name."""
        return self._metadata.name

    @property
    def version(self) -> str:
        """The model's version."""
        return self._metadata.version

    @property
    def metadata(self) -> Metadata:
        """What the artefact says about itself."""
        return self._metadata

    def supports(self, wiki_id: str) -> bool:
        """Tell whether the model was made for a wiki."""
        wikis = self._metadata.supported_wikis
        return wikis is None or wiki_id in wikis

    def score(self, revisions: Sequence[Revision]) -> list[Prediction]:
        """Score edits, in their order; raise `BadScoreError` for a score that is no probability."""
        return self.score_features([extract(revision) for revision in revisions])

    def score_features(self, features: Sequence[Features]) -> list[Prediction]:
        """Score edits whose features were taken before, elsewhere or from a data set."""
        if not features:
            return []
        calibration = self._metadata.calibration
        inputs = torch.from_numpy(self._metadata.encoder.encode(features)).to(self._device)
        with torch.inference_mode():
            logits = calibration.slope * self._network(inputs) + calibration.offset
            probabilities: list[float] = torch.sigmoid(logits).tolist()
        return [
            Prediction.of(probability, model_name=self.name, model_version=self.version)
            for probability in probabilities
        ]


def choose_device(wish: str) -> str:
    """Return the torch device for ``auto``, ``cpu`` or ``cuda``; raise ValueError if CUDA is asked for and absent."""
    if wish == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wish == "cuda" and not torch.cuda.is_available():
        raise ValueError("cuda is not available here: use auto or cpu")
    return wish


def limit_threads(count: int) -> None:
    """Let torch use so many threads in this process."""
    torch.set_num_threads(count)
