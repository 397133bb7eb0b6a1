"""``revertrisk demo``: runs all programs on loopback and shows each prediction in a table."""
