"""Note which revisions a server skipped and why: a reconciliation must not take them for missing."""

from pathlib import Path
from typing import Self

import orjson

from revertrisk.dispatcher.deadletters import DeadLetterError, end_a_torn_line, write_whole
from revertrisk.dispatcher.outcome import Ending, Outcome
from revertrisk.dispatcher.settings import SettingsError


class SkipFile:
    """Appends a line for each skip. One that a crash loses is found missing, and skipped again."""

    def __init__(self, path: Path) -> None:
        """Open the file for appending; raises SettingsError."""
        self._path = path
        try:
            self._file = path.open("a+b", buffering=0)
            end_a_torn_line(self._file)
        except OSError as exc:
            raise SettingsError(f"skips: {path}: cannot be written: {exc.strerror}") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def note_outcome(self, outcome: Outcome) -> None:
        """Append an outcome if it is a skip of a revision; raises DeadLetterError where it cannot be kept."""
        if outcome.ending is not Ending.SKIPPED:
            return
        match outcome.event:
            case {"wiki_id": str(wiki_id), "revision": {"rev_id": int(rev_id)}}:
                skip = {
                    "wiki_id": wiki_id,
                    "rev_id": rev_id,
                    "reason": outcome.detail or "",
                    "rule": outcome.rule,
                }
                try:
                    write_whole(self._file, orjson.dumps(skip, option=orjson.OPT_APPEND_NEWLINE))
                except OSError as exc:
                    raise DeadLetterError(f"skips: {self._path}: cannot be written: {exc.strerror}") from exc
