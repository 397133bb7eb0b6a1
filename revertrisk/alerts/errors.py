"""The errors of a watch, and its exit statuses."""

from typing import Final

EXIT_DONE: Final = 0
EXIT_BROKEN: Final = 1
EXIT_USAGE: Final = 2
EXIT_CONFIGURATION: Final = 78


class AlertsError(Exception):
    """The state or a source cannot be used."""

    exit_status = EXIT_BROKEN


class AlertsUsageError(AlertsError):
    """A flag cannot be used."""

    exit_status = EXIT_USAGE


class AlertsConfigurationError(AlertsError):
    """The state belongs to another program, or a setting of the environment is invalid; nothing was changed."""

    exit_status = EXIT_CONFIGURATION
