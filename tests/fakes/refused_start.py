"""A server that must not start."""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from revertrisk.cli.app import main

PROJECT: Final = Path(__file__).resolve().parents[2]
EX_CONFIG: Final = 78
"""sysexits.h: something in the configuration cannot work."""
# One process imports the program, and each server begins as its copy: the imports take longer than the refusal.
_STARTS: Final = multiprocessing.get_context("forkserver")
_STARTS.set_forkserver_preload(["tests.fakes.refused_start", "model_server.__main__"])


def refused_start(*, wait_s: float = 60, **environment: str) -> str:
    """Start a server, prove that it ends with status 78 and without a traceback, and return what it said.

    It has no environment but ``environment``. ``wait_s`` is how long it may take, in seconds.
    """
    defaults = {"PATH": "/usr/bin:/bin", "HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", "ENABLE_GRPC": "false"}
    with tempfile.NamedTemporaryFile() as output:
        started = _STARTS.Process(target=_serve, args=(defaults | environment, output.name))
        started.start()
        started.join(wait_s)
        if started.exitcode is None:
            started.kill()
        said = output.read().decode()
    assert started.exitcode == EX_CONFIG, said
    assert "Traceback" not in said
    return said


def _serve(environment: Mapping[str, str], output: str) -> None:
    """Be ``revertrisk serve`` in this environment; what it says on stderr goes to the file."""
    os.chdir(PROJECT)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv = ["revertrisk", "serve"]
    nowhere, said = os.open(os.devnull, os.O_RDWR), os.open(output, os.O_WRONLY)
    for descriptor, target in enumerate((nowhere, nowhere, said)):
        os.dup2(target, descriptor)
    main()
