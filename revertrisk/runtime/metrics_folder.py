"""Checks the folder in PROMETHEUS_MULTIPROC_DIR, where prometheus_client keeps a file for each kind of metric."""

import os
from pathlib import Path
from typing import Final

METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"


def metrics_folder_problem() -> str | None:
    """Return why metrics cannot be created, in a sentence that names the variable, or None."""
    name = os.environ.get(METRICS_FOLDER)
    if not name:
        return None
    if not Path(name).is_dir():
        return f"{METRICS_FOLDER}: {name} is not a folder: create it, or unset the variable"
    if not os.access(name, os.W_OK | os.X_OK):
        return f"{METRICS_FOLDER}: {name} cannot be written"
    return None
