"""Encodes features as the inputs of the network: transformed, standardised, with a mark for unknown values."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PositiveFloat, ValidationInfo, field_validator

from revertrisk.scoring.feature_table import FEATURES, Transform
from revertrisk.scoring.features import Features

CLIP = 5.0
"""Scaled values are limited to ± this, so that one value unlike the training data cannot decide a score."""

_TRANSFORMS = {feature.name: feature.transform for feature in FEATURES}


class FeatureScale(BaseModel):
    """How one feature is scaled: (transformed value - `mean`) / `deviation`."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    name: str
    transform: str
    """The transform of the feature table. The artefact has it too, so that loading finds a change of the table."""
    mean: float
    deviation: PositiveFloat

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in _TRANSFORMS:
            raise ValueError("not a feature of this package")
        return name

    @field_validator("transform")
    @classmethod
    def _matches_the_table(cls, transform: str, others: ValidationInfo) -> str:
        expected = _TRANSFORMS.get(others.data.get("name", ""), transform)
        if transform != expected:
            raise ValueError(f"expected {expected!s} for this feature")
        return transform


@dataclass(frozen=True)  # no slots: cached_property needs a dict
class Encoder:
    """The features that a model uses, in the order of its inputs.

    A row has three parts: the scaled `core` features; for each of them 1 if it is known and 0 if not; and the scaled
    `additive` features. An unknown value is 0 in the first and third part, which is the mean of the feature.
    """

    core: tuple[FeatureScale, ...]
    """Features that the hidden layers may combine."""
    additive: tuple[FeatureScale, ...]
    """Features that each add a term of their own to the logit and are combined with nothing: the account's age."""

    @property
    def width(self) -> int:
        """The number of inputs."""
        return 2 * len(self.core) + len(self.additive)

    def encode(self, features: Sequence[Features]) -> NDArray[np.float64]:
        """Return the inputs of the network, shape (edits, `width`)."""
        names, means, deviations = self._columns
        scaled = ((raw_values(names, features) - means) / deviations).clip(-CLIP, CLIP)
        known = np.isfinite(scaled)
        scaled[~known] = 0.0
        cores = len(self.core)
        return np.concatenate([scaled[:, :cores], known[:, :cores], scaled[:, cores:]], axis=1)

    @cached_property
    def _columns(self) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
        scales = (*self.core, *self.additive)
        means = np.array([scale.mean for scale in scales])
        return [scale.name for scale in scales], means, np.array([scale.deviation for scale in scales])


def fit_encoder(core: Sequence[str], additive: Sequence[str], features: Sequence[Features]) -> Encoder:
    """Return an encoder that scales each feature by its mean and standard deviation over the edits that have it."""

    def scales(names: Sequence[str]) -> tuple[FeatureScale, ...]:
        raw = raw_values(names, features)
        return tuple(
            FeatureScale(
                name=name,
                transform=_TRANSFORMS[name],
                mean=float(np.nanmean(column)),
                deviation=max(float(np.nanstd(column)), 1e-3),
            )
            for name, column in zip(names, raw.T, strict=True)
        )

    return Encoder(scales(core), scales(additive))


def raw_values(names: Sequence[str], features: Sequence[Features]) -> NDArray[np.float64]:
    """Return the transformed values before they are scaled, shape (edits, names); NaN for unknown."""
    raw = np.array([[each.values[name] for name in names] for each in features], dtype=np.float64)
    raw = raw.reshape(len(features), len(names))
    logarithmic = [index for index, name in enumerate(names) if _TRANSFORMS[name] is Transform.LOG1P]
    raw[:, logarithmic] = np.log1p(raw[:, logarithmic])
    return raw
