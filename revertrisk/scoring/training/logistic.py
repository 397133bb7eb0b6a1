"""Logistic regression by Newton's method, for a handful of columns: exact, and the same on every run."""

import numpy as np
from numpy.typing import NDArray

_CONVERGED = 1e-10
_STEPS = 100

Numbers = NDArray[np.float64]


def logistic(
    design: Numbers, labels: NDArray[np.bool_], weights: Numbers, offset: Numbers | float = 0.0
) -> Numbers:
    """Return the coefficients that make the labels likeliest, shape (columns,).

    ``design`` has a row for each label. ``offset`` is added to each row's logit as it is.
    """

    def loss(line: Numbers) -> float:
        values = design @ line + offset
        return float((weights * np.logaddexp(0.0, np.where(labels, -values, values))).sum())

    line = np.zeros(design.shape[1])
    for _ in range(_STEPS):  # a convex function; the step is halved where it would overshoot
        probabilities = sigmoid(design @ line + offset)
        gradient = design.T @ (weights * (probabilities - labels))
        curvature = weights * probabilities * (1 - probabilities)
        step = np.linalg.solve((design.T * curvature) @ design + 1e-9 * np.eye(len(line)), gradient)
        while loss(line - step) > loss(line) and np.abs(step).max() > _CONVERGED:
            step /= 2
        line -= step
        if np.abs(step).max() <= _CONVERGED:
            break
    return line


def sigmoid(logits: Numbers) -> Numbers:
    """Return the probabilities of logits, without overflow at either end."""
    probabilities: Numbers = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return probabilities
