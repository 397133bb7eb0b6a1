"""Stream in, HTTP out: a dispatcher in change-propagation's vocabulary."""

from revertrisk.dispatcher.app import DispatchSettings, SettingsError, dispatch, run
from revertrisk.dispatcher.deadletters import DeadLetterError
from revertrisk.dispatcher.outcome import Ending, Outcome
from revertrisk.dispatcher.retries import PRODUCTION_RETRIES, QUICK_RETRIES, RetrySchedule
from revertrisk.dispatcher.rule_language.problems import RuleFileError
from revertrisk.dispatcher.summary import Summary

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
