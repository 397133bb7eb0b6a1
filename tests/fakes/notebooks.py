"""Runs the notebooks of docs over a lake, as a reader would."""

from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "notebooks" / "anti_vandal_bots.ipynb"
TIMEOUT_S = 100


def run_notebook(path: Path, lake: str, *, then: str = "") -> Any:
    """Return a notebook with its outputs over a lake; ``then`` is code that runs in it at its end, and is not kept.

    Raises:
        CellExecutionError: a cell failed; the text has its traceback.

    """
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(then))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKE_DIR", lake)
        nbclient.NotebookClient(notebook, timeout=TIMEOUT_S, record_timing=False).execute()
    notebook.cells.pop()
    return notebook


def outputs(notebook: Any) -> list[str]:
    """Return the text of each output, cell by cell."""
    return [
        output["text"] if output["output_type"] == "stream" else output["data"]["text/plain"]
        for cell in notebook.cells
        if cell["cell_type"] == "code"
        for output in cell["outputs"]
    ]
