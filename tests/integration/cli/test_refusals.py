"""What commands say where an address or a flag cannot be used."""

import socket
import subprocess
import sys

import pytest


def refused(*arguments: str) -> str:
    """Run a command that must end at once with status 2, and return its standard error."""
    ended = subprocess.run(
        [sys.executable, "-m", "revertrisk.cli.app", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False), ended.stderr
    return ended.stderr


@pytest.mark.parametrize("program", ["mock-eventgate", "mock-mediawiki"])
def test_a_port_that_is_taken_is_named_with_what_to_do(program: str) -> None:
    """In one line, without the number of an error."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(program, "--port", str(port))
    assert said == (
        f"revertrisk: 127.0.0.1:{port} cannot be listened on: address already in use; "
        "give another --port, 0 for a free one, or another --host\n"
    )


@pytest.mark.parametrize("program", ["mock-eventgate", "mock-mediawiki"])
def test_a_port_that_is_none_is_refused(program: str) -> None:
    """By the name of the flag, and with what was expected."""
    said = refused(program, "--port", "99999")
    assert said == "revertrisk: port: expected a number from 0 to 65535, not 99999\n"


def test_what_only_edits_made_now_have_is_refused_without_them() -> None:
    """Whoever forgot ``--live`` is not shown samples instead."""
    assert refused("demo", "--limit", "5") == "revertrisk: --limit: only with --live\n"


def test_a_host_that_is_none_is_named() -> None:
    """A name that no resolver knows."""
    said = refused("mock-eventgate", "--host", "no.such.host.invalid", "--port", "0")
    assert said.startswith("revertrisk: no.such.host.invalid:0 cannot be listened on: ")
    assert "Errno" not in said
