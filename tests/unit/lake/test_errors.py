"""What a library prints of an error is printed once, and nothing else is lost."""

import os

import pytest

from revertrisk.lake.errors import no_panic_of_a_full_disk


def _fail(printed: bytes, error: Exception) -> None:
    with no_panic_of_a_full_disk(), no_panic_of_a_full_disk():
        os.write(2, printed)
        raise error


def test_only_what_is_printed_of_a_full_disk_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever else is written to standard error appears, in its order, also where another error is raised."""
    with no_panic_of_a_full_disk():
        os.write(2, b"first ")
    with pytest.raises(OSError, match="No space"):
        _fail(b"thread panicked ", OSError("No space left on device (os error 28)"))
    with pytest.raises(ValueError, match="other"):
        _fail(b"second ", ValueError("other"))
    os.write(2, b"third")
    assert capfd.readouterr().err == "first second third"
