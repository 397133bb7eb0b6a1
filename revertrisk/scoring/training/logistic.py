"""Logistic regression by Newton's method, for a few columns. The result is the same on every run."""

import numpy as np
from numpy.typing import NDArray

_CONVERGED = 1e-10
_STEPS = 100

Numbers = NDArray[np.float64]


def logistic(
    design: Numbers, labels: NDArray[np.bool_], weights: Numbers, offset: Numbers | float = 0.0
) -> Numbers:
    """Return the coefficients with the maximum likelihood, shape (columns,).

    `design` has shape (edits, columns), `labels` and `weights` (edits,). `offset` is added to the logits. Newton's
    method for logistic regression is iteratively reweighted least squares (Hastie, Tibshirani and Friedman, The
    Elements of Statistical Learning, 4.4.1).
    """

    def loss(coefficients: Numbers) -> float:
        values = design @ coefficients + offset
        return float((weights * np.logaddexp(0.0, np.where(labels, -values, values))).sum())

    coefficients = np.zeros(design.shape[1])
    for _ in range(_STEPS):  # the loss is convex; a step that would increase it is halved
        probabilities = sigmoid(design @ coefficients + offset)
        gradient = design.T @ (weights * (probabilities - labels))
        curvature = weights * probabilities * (1 - probabilities)
        step = np.linalg.solve((design.T * curvature) @ design + 1e-9 * np.eye(len(coefficients)), gradient)
        while loss(coefficients - step) > loss(coefficients) and np.abs(step).max() > _CONVERGED:
            step /= 2
        coefficients -= step
        if np.abs(step).max() <= _CONVERGED:
            break
    return coefficients


def sigmoid(logits: Numbers) -> Numbers:
    """Return the probabilities of logits. With tanh no logit causes an overflow."""
    probabilities: Numbers = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return probabilities
