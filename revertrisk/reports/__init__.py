"""Reports from the lake: outcomes of predictions, what a threshold would do, bots compared with a model."""
