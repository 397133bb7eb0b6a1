"""What a source of predictions hands over."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as it came, and what to resume with once it is done with.

    ``resume_at`` means whatever the source wants it to: for EventStreams it is the ``Last-Event-ID``
    array as JSON. None says that the source cannot resume here; the token before it stays.
    """

    event: Any = field(repr=False)
    """Anything that JSON can hold: what is no event is dropped and counted."""
    resume_at: str | None = None
