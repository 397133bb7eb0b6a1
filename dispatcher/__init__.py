"""Stream in, HTTP out: a dispatcher in change-propagation's vocabulary."""

from dispatcher.app import DispatchSettings, SettingsError, dispatch, run
from dispatcher.deadletters import DeadLetterError
from dispatcher.outcome import Ending, Outcome
from dispatcher.problems import RuleFileError
from dispatcher.retries import PRODUCTION_RETRIES, QUICK_RETRIES, RetrySchedule
from dispatcher.summary import Summary

__all__ = [
    "PRODUCTION_RETRIES",
    "QUICK_RETRIES",
    "DeadLetterError",
    "DispatchSettings",
    "Ending",
    "Outcome",
    "RetrySchedule",
    "RuleFileError",
    "SettingsError",
    "Summary",
    "dispatch",
    "run",
]
