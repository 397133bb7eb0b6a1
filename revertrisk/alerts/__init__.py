"""Alerts for surges and silence in the counts of a stream, with a budget of false starts."""
