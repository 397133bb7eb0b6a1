"""The order of model versions as a text that SQL can sort by."""

import re
from functools import lru_cache

_DIGITS = re.compile(r"([0-9]+)")


@lru_cache(maxsize=1000)
def version_rank(version: str) -> str:
    """Return a text that sorts as model versions do (``revertrisk.consumer.version_order``): digits by their number.

    Text and numbers alternate. A text ends in a space, which sorts before what versions are made of; a number is
    preceded by its length, so that 9 comes before 10.
    """
    parts = []
    for place, part in enumerate(_DIGITS.split(version)):
        digits = part.lstrip("0")
        parts.append(f"{len(digits):03d}{digits}" if place % 2 else f"{part} ")
    return f"{''.join(parts)} {version}"
