"""Stop a run in which everything is refused: a wrong address must not turn a whole stream into dead letters."""

import asyncio

from revertrisk.dispatcher.outcome import Ending, Outcome
from revertrisk.dispatcher.summary import Summary


class RefusalLimit:
    """Counts the requests given up without one in between that succeeded."""

    def __init__(self, limit: int | None, stop: asyncio.Event, summary: Summary) -> None:
        """Set ``stop``, and say why in the summary, after so many in a row; None for never."""
        self._limit = limit
        self._stop = stop
        self._summary = summary
        self._in_a_row = 0

    def note_outcome(self, outcome: Outcome) -> None:
        """Count one outcome; what was never sent, or waits for another try, says nothing about the server."""
        if outcome.attempts == 0 or outcome.ending is Ending.POSTPONED:
            return
        if outcome.ending is not Ending.GIVEN_UP:
            self._in_a_row = 0
            return
        self._in_a_row += 1
        if self._in_a_row == self._limit:
            self._summary.source_error = (
                f"stopped: {self._limit} requests in a row were given up, the last for {outcome.detail}"
            )
            self._stop.set()
