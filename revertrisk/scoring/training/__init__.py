"""Training and evaluation: readers of labelled edits, the fit, the figures and the model card."""
