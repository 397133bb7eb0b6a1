"""What can be wrong with a lake; each text is a sentence that says what to do."""

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
