"""A server that must not start."""

import subprocess
import sys
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parents[2]
EX_CONFIG: Final = 78
"""sysexits.h: something in the configuration cannot work."""


def refused_start(*, wait_s: float = 60, **environment: str) -> str:
    """Start a server, prove that it ends with status 78 and without a traceback, and return what it said.

    It has no environment but ``environment``. ``wait_s`` is how long it may take, in seconds.
    """
    defaults = {"PATH": "/usr/bin:/bin", "HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", "ENABLE_GRPC": "false"}
    ended = subprocess.run(
        [sys.executable, "-m", "revertrisk.cli.app", "serve"],
        env=defaults | environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=wait_s,
        check=False,
    )
    assert ended.returncode == EX_CONFIG, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr
