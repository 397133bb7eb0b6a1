"""A server that must not start."""

import tempfile
from pathlib import Path
from typing import Final

from tests.fakes.forked_server import ForkedServer

PROJECT: Final = Path(__file__).resolve().parents[2]
EX_CONFIG: Final = 78
"""sysexits.h: something in the configuration cannot work."""


def refused_start(*, wait_s: float = 60, **environment: str) -> str:
    """Start a server, prove that it ends with status 78 and without a traceback, and return what it said.

    It has no environment but ``environment``. ``wait_s`` is how long it may take, in seconds.
    """
    defaults = {"PATH": "/usr/bin:/bin", "HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", "ENABLE_GRPC": "false"}
    with tempfile.NamedTemporaryFile() as output:
        started = ForkedServer(defaults | environment, Path(output.name))
        try:
            status = started.wait(wait_s)
        finally:
            started.kill()
        said = output.read().decode()
    assert status == EX_CONFIG, said
    assert "Traceback" not in said
    return said
