"""Backfill: predictions for the past, to a stream of their own or to a file."""

from revertrisk.backfill.app import run_backfill
from revertrisk.backfill.settings import BackfillSettings, SettingsError

__all__ = ["BackfillSettings", "SettingsError", "run_backfill"]
