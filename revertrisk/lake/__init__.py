"""The lake: Delta tables of predictions and of what happened to the edits, written from streams and read by SQL."""

from revertrisk.lake.errors import LakeConfigurationError, LakeError, LakeUsageError
from revertrisk.lake.reader import Reader, connect

__all__ = ["LakeConfigurationError", "LakeError", "LakeUsageError", "Reader", "connect"]
