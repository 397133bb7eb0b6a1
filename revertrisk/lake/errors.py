"""What can be wrong with a lake; each text is a sentence that says what to do."""

import re
from typing import Final

EXIT_DONE: Final = 0
EXIT_FOUND_WRONG: Final = 1
"""Something was lost, is damaged or does not agree."""
EXIT_USAGE: Final = 2
EXIT_CONFIGURATION: Final = 78
"""EX_CONFIG of sysexits.h: the lake, its key or a setting does not fit; nothing was done."""


class LakeError(Exception):
    """The lake cannot be read or written (any further)."""

    exit_status = EXIT_FOUND_WRONG


class LakeUsageError(LakeError):
    """A flag or a query cannot be used."""

    exit_status = EXIT_USAGE


class LakeConfigurationError(LakeError):
    """The folder is no lake, of another format, or its key is missing or another one."""

    exit_status = EXIT_CONFIGURATION


_COLOURS: Final = re.compile("\x1b\\[[0-9;]*m|\u21b3")
_LONGEST: Final = 300


def words_of(error: BaseException) -> str:
    """Return what a library's error says, in one line of bounded length."""
    text = _COLOURS.sub("", str(error).partition("\n\n")[0])
    return " ".join(text.split())[:_LONGEST] or type(error).__name__
