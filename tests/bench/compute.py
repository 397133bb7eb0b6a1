"""What both sides compute with: one of the shipped models, or nothing, and how long it took."""

import time
from collections.abc import Sequence
from functools import cache

from prometheus_client import REGISTRY, Counter

from revertrisk.scoring import artifact
from revertrisk.scoring.prediction import Classifier, Prediction
from revertrisk.scoring.revision import Revision

MODELS = ("revertrisk-language-agnostic", "revertrisk-multilingual")
NULL = "null"
NULL_NAME = "revertrisk-language-agnostic"
COMPUTE_METRIC = "bench_compute_seconds_total"


class NullClassifier:
    """Computes nothing: what is left is the cost of serving."""

    name = NULL_NAME
    version = "null"

    def supports(self, wiki_id: str) -> bool:
        return True

    def score(self, revisions: Sequence[Revision]) -> list[Prediction]:
        return [Prediction(0.25, self.name, self.version) for _ in revisions]


class MeteredClassifier:
    """Adds up the CPU time of the thread that scores, so that it can be subtracted."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._seconds = Counter("bench_compute_seconds", "CPU time of the classifier.", registry=REGISTRY)
        self.name = classifier.name
        self.version = classifier.version
        self.supports = classifier.supports

    def score(self, revisions: Sequence[Revision]) -> list[Prediction]:
        started = time.thread_time()
        try:
            return self._classifier.score(revisions)
        finally:
            self._seconds.inc(time.thread_time() - started)


@cache
def supported(wiki_id: str) -> bool:
    """Tell whether every model was made for a wiki."""
    limits = [artifact.load_metadata(artifact.shipped(model)).supported_wikis for model in MODELS]
    return all(limit is None or wiki_id in limit for limit in limits)


def classifier(model: str) -> Classifier:
    """Load a shipped model by its name, or nothing under the name ``null``."""
    if model == NULL:
        return NullClassifier()
    from revertrisk.scoring.classifier import TorchClassifier, limit_threads  # noqa: PLC0415 - torch, where it is needed

    limit_threads(1)
    return MeteredClassifier(TorchClassifier.load(artifact.shipped(model)))
