"""Training and evaluation: readers of labelled edits, fitting, figures and model cards."""
