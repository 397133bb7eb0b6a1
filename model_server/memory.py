"""How the process keeps its memory: what a large page has filled and freed serves the next one."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Names in glibc's malloc.h."""
KEPT_BYTES = 64 * 2**20
"""Freed memory that is not given back to the kernel at once: several times what a page of 2 MB takes."""
MOST_IN_HEAP = 32 * 2**20
"""The largest block that is kept so (and the largest that glibc allows here)."""


def keep_freed_memory() -> None:
    """Have malloc give less back to the kernel, where it is glibc's (mallopt(3)); elsewhere do nothing.

    By default it returns what a large page has taken as soon as that is freed, and the next page waits for the
    kernel to clear it all again: a third of the time for which a large page holds up the event loop.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, MOST_IN_HEAP)
