"""What the lake's peers share: their flags, their verdict, their virtual environment, and the lake's own commands."""

# ruff: noqa: T201 - for programs that print what they found

import argparse
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".venv-peers"


def arguments(description: str | None) -> argparse.Namespace:
    """Read the flags of a program with this docstring."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--edits", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=11)
    return parser.parse_args()


def conclude(what: str, problems: list[str]) -> int:
    """Print what does not hold, and return the exit status."""
    for problem in problems[:50]:
        print(problem)
    print(f"{what}: {len(problems) or 'no'} findings")
    return 1 if problems else 0


def peer_python(module: str, *requirement: str) -> Path:
    """Return the Python of the peers' virtual environment, which has the module; pip gets the requirement."""
    python = PEERS / "bin" / "python"
    if not python.exists():
        venv.create(PEERS, with_pip=True)
    if subprocess.run([python, "-c", f"import {module}"], check=False, capture_output=True).returncode:
        constraints = ("--constraint", str(ROOT / "requirements/constraints.txt"))
        subprocess.run([python, "-m", "pip", "install", "--quiet", *constraints, *requirement], check=True)
    return python


def said(folder: Path, status: int, words: str, *arguments: str, **environment: str) -> Iterator[str]:
    """Run a command; yield what it said where it is not what was expected."""
    program = start(folder, *arguments, **environment)
    output, errors = program.communicate()
    if program.returncode != status or words not in output + errors or "Traceback" in errors:
        yield f"{' '.join(arguments)}: {program.returncode} instead of {status}: {output[-500:]}{errors[-500:]}"


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "revertrisk.cli.app", *arguments],
        env=os.environ | {"LAKE_KEY_FILE": str(folder / "key")} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
