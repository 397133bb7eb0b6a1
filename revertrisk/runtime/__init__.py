"""What every program stands on: logs, signals, HTTP. It knows no wiki and no event."""
