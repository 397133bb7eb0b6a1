"""The errors of a lake; each message names the cause, and what to do about it where that is not obvious."""

import re
from typing import Final

EXIT_DONE: Final = 0
EXIT_FOUND_WRONG: Final = 1
"""Something is lost, damaged or inconsistent."""
EXIT_USAGE: Final = 2
EXIT_CONFIGURATION: Final = 78
"""EX_CONFIG of sysexits.h: the lake, its key or a setting cannot be used; nothing was done."""


class LakeError(Exception):
    """The lake cannot be read or written, or not any further."""

    exit_status = EXIT_FOUND_WRONG


class LakeUsageError(LakeError):
    """A flag or a query is invalid."""

    exit_status = EXIT_USAGE


class LakeConfigurationError(LakeError):
    """There is no lake, its format is not supported, or its key is missing or wrong."""

    exit_status = EXIT_CONFIGURATION


_COLOURS: Final = re.compile("\x1b\\[[0-9;]*m|\u21b3")
_MAX_CHARS: Final = 300


def message_of(error: BaseException) -> str:
    """Return the message of a library's error in one line of limited length."""
    if "No space left on device" in str(error):
        return "the disk is full; what is not in the lake yet will be read again"
    text = _COLOURS.sub("", str(error).partition("\n\n")[0])
    return " ".join(text.split())[:_MAX_CHARS] or type(error).__name__
