"""How late the event loop of a server is, watched from inside it; for the benchmark alone."""

import asyncio
import time

from prometheus_client import REGISTRY, Gauge

LAG_METRIC = "bench_loop_lag_seconds"
EVERY_SECONDS = 0.005


class LoopLag:
    """The longest that a short sleep has overslept since the figure was last read, as a metric.

    Only what this process's own CPU time accounts for: other programs on the core may keep a loop waiting as well.
    """

    def __init__(self) -> None:
        self._most = 0.0
        self._is_read = False
        gauge = Gauge(LAG_METRIC, "The longest lag since the last scrape.", registry=REGISTRY)
        gauge.set_function(self._take)

    async def watch(self) -> None:
        """Watch the running event loop to its end."""
        while True:
            asleep, spent = time.perf_counter(), time.process_time()
            await asyncio.sleep(EVERY_SECONDS)
            overslept = time.perf_counter() - asleep - EVERY_SECONDS
            lag = min(overslept, time.process_time() - spent)
            if self._is_read:  # what this sleep was late by is the scrape's own doing
                self._is_read = False
            else:
                self._most = max(self._most, lag)

    def _take(self) -> float:
        most, self._most, self._is_read = self._most, 0.0, True
        return most
