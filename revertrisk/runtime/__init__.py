"""The base of every program: logs, signals, HTTP. It has no knowledge of wikis or events."""
