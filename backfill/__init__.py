"""Backfill: predictions for the past, to a stream of their own or to a file."""

from backfill.app import run
from backfill.settings import BackfillSettings, SettingsError

__all__ = ["BackfillSettings", "SettingsError", "run"]
