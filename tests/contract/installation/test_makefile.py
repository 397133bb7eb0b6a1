"""A fresh machine: which Python makes the virtual environments, and where torch comes from."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fakes.installed import installed
from tests.fakes.raw_http import peer_of, silent_peer, with_length

ROOT = Path(__file__).resolve().parents[3]
TORCH_SOURCE = ROOT / "requirements" / "torch_source.py"
VERSIONS = ("3.11", "3.12", "3.13")


def dry_run(folder: Path, pythons: Sequence[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return what make would do where these Pythons can make a virtual environment, and others cannot."""
    for version in VERSIONS:  # as pyenv's commands, which are there without a Python behind them
        command = folder / f"python{version}"
        command.write_text(f"#!/bin/sh\nexit {0 if version in pythons else 127}\n")
        command.chmod(0o755)
    path = os.pathsep.join((str(folder), os.environ["PATH"]))
    environment = {
        name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}
    }
    return subprocess.run(
        [installed("make", "apt-get install -y make"), "--dry-run", f"VENV={folder / 'venv'}", *arguments],
        cwd=ROOT,
        env=environment | {"PATH": path},
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("pythons", "newest", "others"),
    [(VERSIONS, "3.13", ("3.12", "3.11")), (("3.11", "3.12"), "3.12", ("3.11",)), (("3.11",), "3.11", ())],
    ids=" ".join,
)
def test_t9_the_newest_python_is_taken_and_the_others_are_checked_too(
    tmp_path: Path, pythons: Sequence[str], newest: str, others: Sequence[str]
) -> None:
    """T9: make run needs one Python of three; make check runs on each that is there."""
    planned = dry_run(tmp_path, pythons, "run").stdout
    assert f"python{newest} -m venv {tmp_path}/venv\n" in planned
    checked = dry_run(tmp_path, pythons, "check").stdout
    for version in VERSIONS:
        assert (f"make unit PYTHON=python{version} VENV=.venv-{version}" in checked) == (version in others)


def test_t9_without_a_python_make_says_what_it_needs(tmp_path: Path) -> None:
    """T9: the versions, and the command that brings one."""
    answer = dry_run(tmp_path, (), "run")
    assert answer.returncode != 0
    assert "no Python from 3.11 to 3.13" in answer.stderr


async def torch_source(index: str) -> tuple[str, str]:
    """Return what the program prints, and what it says, where torch is not installed yet."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-S",  # no site-packages, so no torch
        str(TORCH_SOURCE),
        env=os.environ | {"TORCH_INDEX_URL": index, "TORCH_INDEX_TIMEOUT": "0.5", "no_proxy": "127.0.0.1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, said = await process.communicate()
    assert process.returncode == 0
    return printed.decode(), said.decode()


async def test_t9_torch_comes_from_an_index_that_has_it() -> None:
    """T9: its build for CPUs, without CUDA; one line says so, with the sizes."""
    async with peer_of([with_length(b"<a href=torch-2.13.0>torch</a>")]) as peer:
        index = f"http://127.0.0.1:{peer.origin.port}/whl/cpu"
        printed, said = await torch_source(index)
        assert peer.requests[0].startswith(b"GET /whl/cpu/torch/ ")
    assert printed == f"--no-deps --index-url {index}\n"
    assert said.startswith(f"torch comes from {index}: 0.2 GB")
    assert said.count("\n") == 1


async def test_t9_torch_comes_from_elsewhere_where_the_index_does_not_answer() -> None:
    """T9: refused, or silent for longer than the limit: pip's own sources, and one line says what that means."""
    async with silent_peer() as peer:
        silent = f"http://127.0.0.1:{peer.origin.port}"
        for index in (silent, "http://127.0.0.1:9"):
            printed, said = await torch_source(index)
            assert printed == ""
            assert f"{index} does not answer: on Linux PyPI's build brings CUDA along: 2.7 GB" in said
            assert said.count("\n") == 1


def test_t9_nothing_is_said_where_torch_is_installed() -> None:
    """T9: a second `make` asks no index."""
    answer = subprocess.run([sys.executable, str(TORCH_SOURCE)], check=True, capture_output=True, text=True)
    assert (answer.stdout, answer.stderr) == ("", "")
