"""When to try again: the pause before each retry, and how often."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """``limit`` retries after the first try; the n-th (from 0) waits ``delay_s * factor**n`` seconds."""

    limit: int
    delay_s: float
    factor: float

    def pause_s(self, retry: int, *, retry_after_s: float | None, longest_s: float) -> float:
        """Return the seconds before the n-th retry: what the server asked for, up to a bound, if that is more."""
        own = self.delay_s * self.factor**retry
        return own if retry_after_s is None else max(own, min(retry_after_s, longest_s))


PRODUCTION_RETRIES = RetrySchedule(limit=2, delay_s=60.0, factor=6.0)
"""change-propagation's defaults: after one minute and after six more."""
QUICK_RETRIES = RetrySchedule(limit=3, delay_s=0.5, factor=2.0)
"""0.5, 1 and 2 seconds: a file is read by somebody who waits for it, and a retry holds its slot meanwhile."""
