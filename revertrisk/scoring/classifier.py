"""The classifier that serves a trained network from an artefact folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors.torch import load_file, save

from revertrisk.scoring.artifact import WEIGHTS, ArtifactError, Metadata, load_metadata
from revertrisk.scoring.explanation import SPANS, Contribution, Explanation, WeightedSpan
from revertrisk.scoring.features import Features, extract
from revertrisk.scoring.network import Bags, RevertRiskNetwork
from revertrisk.scoring.prediction import Prediction
from revertrisk.scoring.revision import Revision
from revertrisk.scoring.spans import changed_spans, without_span
from revertrisk.scoring.vocabulary import SIDES, Vocabulary

_VOCABULARY = "vocabulary."
"""The prefix of the names of the tensors with the hashes of known n-grams, one tensor for each side."""


class TorchClassifier:
    """A trained network with its preprocessing and calibration: a `Classifier`.

    It may be called from several threads. The caller sets how many threads torch itself uses.
    """

    def __init__(
        self,
        network: RevertRiskNetwork,
        metadata: Metadata,
        vocabulary: Vocabulary | None = None,
        device: str = "cpu",
    ) -> None:
        self._device = torch.device(device)
        self._network = network.to(self._device).eval()
        self._metadata = metadata
        self._vocabulary = vocabulary
        calibration = metadata.calibration
        self._calibrated = self._network.folded(calibration.slope, calibration.offset)

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> Self:
        """Load an artefact folder onto a torch device.

        Raises:
            ArtifactError: with the file and the field that are wrong.

        """
        metadata = load_metadata(path)
        encoder = metadata.preprocessing
        sizes = (encoder.width, 2 * len(encoder.core), metadata.network)
        file = path / WEIGHTS
        tensors = _read(file)
        vocabulary = _vocabulary(file, tensors) if metadata.known_ngrams is not None else None
        # The tensors are compared with the metadata before any memory is allocated by sizes from the metadata.
        _check(file, tensors, RevertRiskNetwork.shapes(*sizes, known_ngrams=metadata.known_ngrams))
        if vocabulary is not None and len(vocabulary) != metadata.known_ngrams:
            raise ArtifactError(
                file, "vocabulary", "does not have the length text.known_ngrams of metadata.json"
            )
        network = RevertRiskNetwork(*sizes, known_ngrams=metadata.known_ngrams)
        network.load_state_dict(tensors)
        classifier = cls(network, metadata, vocabulary, device)
        folded = [part for part in classifier._calibrated if part is not None]
        if not all(bool(torch.isfinite(part).all()) for part in folded):
            raise ArtifactError(file, "tensors", "have sums that are not finite")
        return classifier

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
        """The metadata of the artefact."""
        return self._metadata

    def supports(self, wiki_id: str) -> bool:
        """Return whether the model supports a wiki."""
        wikis = self._metadata.supported_wikis
        return wikis is None or wiki_id in wikis

    def score(self, revisions: Sequence[Revision]) -> list[Prediction]:
        """Score edits, in their order; raises NoProbabilityError for a score that is not a probability."""
        return self.score_features([extract(revision) for revision in revisions])

    def score_features(self, features: Sequence[Features]) -> list[Prediction]:
        """Score edits whose features are already computed, for example from a data set."""
        if not features:
            return []
        with torch.inference_mode():
            probabilities: list[float] = torch.sigmoid(self._logits(features)).tolist()
        return [
            Prediction.of(probability, model_name=self.name, model_version=self.version)
            for probability in probabilities
        ]

    def explain(self, revision: Revision, *, spans: int = SPANS) -> Explanation:
        """Explain the score of an edit, with the `spans` changed places of the largest weight.

        The contributions and the base sum to the logit, except for rounding. The weight of a place is the logit minus
        the logit of the edit without it. So this takes as long as scoring up to `spans.MAX_SPANS` + 2 edits.
        """
        features = extract(revision)
        changed = changed_spans(revision.parent.text, revision.text)
        variants = [extract(without_span(revision, span)) for span in changed]
        with torch.inference_mode():
            logit, *others = self._logits([features, *variants]).tolist()
        weighted = [WeightedSpan(span, logit - other) for span, other in zip(changed, others, strict=True)]
        base, contributions = self._contributions(features)
        return Explanation(
            prediction=self.score_features([features])[0],
            logit=logit,
            base=base,
            contributions=tuple(sorted(contributions, key=lambda each: -abs(each.amount))),
            spans=tuple(sorted(weighted, key=lambda each: -each.weight)[:spans]),
        )

    def _contributions(self, features: Features) -> tuple[float, list[Contribution]]:
        encoder, vocabulary = self._metadata.preprocessing, self._vocabulary
        cores = len(encoder.core)
        average = np.zeros(encoder.width)
        average[cores : 2 * cores] = 1.0  # scaled values of 0 are the mean; all features are known
        text = None if vocabulary is None else vocabulary.find(features.text)
        parts = self._network.attributions(
            torch.from_numpy(encoder.encode([features])[0]).to(self._device),
            torch.from_numpy(average).to(self._device),
            text,
        )
        slope, offset = self._metadata.calibration.slope, self._metadata.calibration.offset
        # A core feature has two inputs: its value, and whether it is known.
        amounts = np.concatenate(
            [parts.inputs[:cores] + parts.inputs[cores : 2 * cores], parts.inputs[2 * cores :]]
        )
        found = [
            Contribution(scale.name, features.values[scale.name], slope * float(amount))
            for scale, amount in zip((*encoder.core, *encoder.additive), amounts, strict=True)
        ]
        if vocabulary is not None and text is not None:
            sides = np.searchsorted(vocabulary.starts, text.rows, side="right") - 1
            found += [
                Contribution(f"{side}_text", None, slope * float(parts.ngrams[sides == index].sum()))
                for index, side in enumerate(SIDES)
            ]
        return slope * parts.base + offset, found

    def _logits(self, features: Sequence[Features]) -> torch.Tensor:
        """Return calibrated logits."""
        inputs = torch.from_numpy(self._metadata.preprocessing.encode(features)).to(self._device)
        if self._vocabulary is None:
            return self._calibrated(inputs)
        bags = Bags.of([self._vocabulary.find(each.text) for each in features], self._device)
        return self._calibrated(inputs, bags)


def weights_file(network: RevertRiskNetwork, vocabulary: Vocabulary | None) -> bytes:
    """Return the content of a weights file, as `TorchClassifier.load` reads it."""
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    if vocabulary is not None:
        for side, known in zip(SIDES, vocabulary.hashes, strict=True):
            tensors[_VOCABULARY + side] = torch.from_numpy(known.astype(np.int64))
    content: bytes = save(tensors)
    return content


def _read(file: Path) -> dict[str, torch.Tensor]:
    try:
        tensors: dict[str, torch.Tensor] = load_file(file)
    except Exception as exc:  # a damaged file raises many kinds of exceptions
        raise ArtifactError(file, "file", f"is not a safetensors file ({type(exc).__name__})") from exc
    return tensors


def _check(file: Path, tensors: Mapping[str, torch.Tensor], described: Mapping[str, tuple[int, ...]]) -> None:
    """Compare the tensors of an artefact with the shapes that its metadata describes. Each number must be finite.

    Raises:
        ArtifactError: a tensor is missing, not expected, of another shape or type, or not finite.

    """
    for name, shape in described.items():
        found = tensors.get(name)
        if found is None or (found.shape, found.dtype) != (shape, torch.float64):
            raise ArtifactError(
                file,
                "tensors",
                "do not fit the network that metadata.json describes: "
                f"expected {name} of float64 and shape {list(shape)}",
            )
        if not bool(torch.isfinite(found).all()):
            raise ArtifactError(file, name, "has numbers that are not finite")
    if len(tensors) > len(described):
        raise ArtifactError(
            file,
            "tensors",
            f"do not fit the network that metadata.json describes: expected {', '.join(described)} only",
        )


def _vocabulary(file: Path, tensors: dict[str, torch.Tensor]) -> Vocabulary:
    """Remove the vocabulary from the tensors of an artefact and return it. A side without a tensor has no n-grams."""
    hashes = []
    for side in SIDES:
        name = _VOCABULARY + side
        found = tensors.pop(name, torch.empty(0, dtype=torch.int64))
        is_list = found.dtype == torch.int64 and found.dim() == 1
        if not is_list or (
            len(found) > 0 and (found[0] < 0 or found[-1] >= 2**32 or not bool((found.diff() > 0).all()))
        ):
            raise ArtifactError(file, name, "expected hashes of 32 bits in rising order, as int64")
        hashes.append(found.numpy().astype(np.uint32))
    return Vocabulary(tuple(hashes))


def choose_device(requested: str) -> str:
    """Return the torch device for ``auto``, ``cpu`` or ``cuda``; raises ValueError for ``cuda`` without CUDA."""
    if requested == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if requested == "cuda" and not torch.cuda.is_available():
        raise ValueError("cuda is not available here: use auto or cpu")
    return requested


def limit_threads(count: int) -> None:
    """Set the largest number of threads that torch uses in this process."""
    torch.set_num_threads(count)
