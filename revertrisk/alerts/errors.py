"""What can be wrong with a watch; each text is a sentence that says what to do."""

from typing import Final

EXIT_DONE: Final = 0
EXIT_BROKEN: Final = 1
EXIT_USAGE: Final = 2
EXIT_CONFIGURATION: Final = 78


class AlertsError(Exception):
    """A source, the state or a lake cannot be read (any further)."""

    exit_status = EXIT_BROKEN


class AlertsUsageError(AlertsError):
    """A flag cannot be used."""

    exit_status = EXIT_USAGE


class AlertsConfigurationError(AlertsError):
    """The state is another program's, or a setting of the environment does not fit; nothing was done."""

    exit_status = EXIT_CONFIGURATION
