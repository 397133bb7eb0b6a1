"""Checks the folder in PROMETHEUS_MULTIPROC_DIR, where prometheus_client keeps the metrics of several processes."""

import os
from pathlib import Path
from typing import Final

METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"


def metrics_folder_problem() -> str | None:
    """Return why no metric can be created, with the name of the variable; None if metrics can be created."""
    name = os.environ.get(METRICS_FOLDER)
    if not name:
        return None
    if not Path(name).is_dir():
        return f"{METRICS_FOLDER}: {name} is not a folder: create it, or unset the variable"
    if not os.access(name, os.W_OK | os.X_OK):
        return f"{METRICS_FOLDER}: {name} cannot be written"
    return None
