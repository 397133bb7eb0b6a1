"""Sends the events of a stream as HTTP requests, by rules in change-propagation's format."""

from revertrisk.dispatcher.app import DispatchSettings, SettingsError, dispatch, run
from revertrisk.dispatcher.deadletters import DeadLetterError
from revertrisk.dispatcher.outcome import Ending, Outcome, Summary
from revertrisk.dispatcher.rule_language.problems import RuleFileError
from revertrisk.dispatcher.rule_language.rule import PRODUCTION_RETRIES, QUICK_RETRIES, RetrySchedule

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
