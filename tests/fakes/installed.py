"""Programs that the tests run and pip does not bring."""

import os
import shutil
from pathlib import Path

import pytest

BIN = Path(__file__).resolve().parents[2] / ".venv" / "bin"


def installed(program: str, command: str) -> str:
    """Return where a program is: where the project's own scripts put it, or on the path.

    A test that lacks it is skipped, and the reason is the command that brings it. In CI (`CI` is set) it fails: what
    is skipped there would never run.
    """
    found = shutil.which(program, path=os.pathsep.join((str(BIN), os.environ["PATH"])))
    if found is not None:
        return found
    missing = f"{program} is missing: {command}"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)
