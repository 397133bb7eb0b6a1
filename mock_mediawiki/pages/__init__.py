"""The pages that a browser sees: a diff, and the log of requests."""
