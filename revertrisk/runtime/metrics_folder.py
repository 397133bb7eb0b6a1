"""The folder that PROMETHEUS_MULTIPROC_DIR names, in which prometheus_client keeps a file for each kind of metric."""

import os
from pathlib import Path
from typing import Final

METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"


def metrics_folder_problem() -> str | None:
    """Return why no metric can be made, in a sentence that names the variable; None where nothing is wrong."""
    name = os.environ.get(METRICS_FOLDER)
    if not name:
        return None
    if not Path(name).is_dir():
        return f"{METRICS_FOLDER}: {name} is not a folder: create it, or unset the variable"
    if not os.access(name, os.W_OK | os.X_OK):
        return f"{METRICS_FOLDER}: {name} cannot be written"
    return None
