"""Baselines besides the anonymous flag: ordinary classifiers, trained on the same edits as a model.

They need the ``training`` extra, and are not served.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-untyped]  # scipy, sklearn ship no types
from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from xgboost import XGBClassifier

from revertrisk.scoring.encoding import Encoder, raw_values
from revertrisk.scoring.feature_table import FEATURES
from revertrisk.scoring.ngrams import SIZES
from revertrisk.scoring.training.evaluate import anonymous_flag
from revertrisk.scoring.training.examples import Example
from revertrisk.scoring.training.logistic import logistic, sigmoid
from revertrisk.scoring.vocabulary import SIDES

Scores = NDArray[np.float64]

_MIN_EDITS = 3
_INVERSE_REGULARISATION = 1.0
_TREES = 300
_DEPTH = 4
_STEP = 0.05
_NAMES = tuple(feature.name for feature in FEATURES)


class NgramRegression:
    """Logistic regression on character n-grams of inserted words, removed words and comment, and on the features."""

    name = "logistic_regression_on_ngrams"

    def __init__(self, examples: Sequence[Example], encoder: Encoder) -> None:
        self._encoder = encoder
        self._vectorizers = [
            TfidfVectorizer(
                analyzer="char", ngram_range=(min(SIZES), max(SIZES)), min_df=_MIN_EDITS, sublinear_tf=True
            )
            for _ in SIDES
        ]
        for vectorizer, side in zip(self._vectorizers, SIDES, strict=True):
            vectorizer.fit([getattr(each.features.text, side) for each in examples])
        self._model = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=1_000)
        self._model.fit(self._inputs(examples), [example.label for example in examples])

    def score(self, examples: Sequence[Example]) -> Scores:
        """Return probabilities of a revert, for a balanced sample."""
        scores: Scores = self._model.predict_proba(self._inputs(examples))[:, 1]
        return scores

    def _inputs(self, examples: Sequence[Example]) -> sparse.csr_matrix:
        words = [
            vectorizer.transform([getattr(each.features.text, side) for each in examples])
            for vectorizer, side in zip(self._vectorizers, SIDES, strict=True)
        ]
        metadata = (
            self._encoder.encode([example.features for example in examples]) / len(self._encoder.core) ** 0.5
        )
        return sparse.csr_matrix(sparse.hstack([*words, sparse.csr_matrix(metadata)]))


class AgeAndFlag:
    """Logistic regression on the anonymous flag and the logarithm of the account's age: on the author, not the edit."""

    name = "age_and_flag"

    def __init__(self, examples: Sequence[Example]) -> None:
        labels = np.array([example.label for example in examples], dtype=np.bool_)
        self._coefficients = logistic(self._inputs(examples), labels, np.ones(len(labels)))

    def score(self, examples: Sequence[Example]) -> Scores:
        """Return probabilities of a revert, for a sample with the training sample's share of reverts."""
        return sigmoid(self._inputs(examples) @ self._coefficients)

    @staticmethod
    def _inputs(examples: Sequence[Example]) -> NDArray[np.float64]:
        (ages,) = raw_values(["user_age"], [example.features for example in examples]).T
        flag = anonymous_flag(examples)
        return np.stack([np.ones(len(ages)), flag, np.nan_to_num(ages)], axis=1)


class BoostedTrees:
    """Gradient-boosted trees on the features; unknown features are missing values."""

    name = "gradient_boosted_trees"

    def __init__(self, examples: Sequence[Example], seed: int) -> None:
        # One thread, so that sums always have the same order.
        self._model = XGBClassifier(
            n_estimators=_TREES,
            max_depth=_DEPTH,
            learning_rate=_STEP,
            subsample=0.8,
            colsample_bytree=0.8,
            n_jobs=1,
            random_state=seed,
        )
        self._model.fit(
            self._inputs(examples), np.array([example.label for example in examples], dtype=np.int64)
        )

    def score(self, examples: Sequence[Example]) -> Scores:
        """Return probabilities of a revert, for a balanced sample."""
        scores: Scores = self._model.predict_proba(self._inputs(examples))[:, 1].astype(np.float64)
        return scores

    @staticmethod
    def _inputs(examples: Sequence[Example]) -> NDArray[np.float64]:
        return raw_values(_NAMES, [example.features for example in examples])
