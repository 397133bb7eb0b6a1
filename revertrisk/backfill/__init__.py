"""Backfill: scores past revisions, and writes the predictions to a backfill stream or to a file."""

from revertrisk.backfill.app import run_backfill
from revertrisk.backfill.settings import BackfillSettings, SettingsError

__all__ = ["BackfillSettings", "SettingsError", "run_backfill"]
