"""Reports over the lake: what came of the predictions, bots beside the model, what a threshold would do."""
