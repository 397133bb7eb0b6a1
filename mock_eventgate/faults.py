"""The faults that can be injected into requests with events, and which requests each applies to."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from revertrisk.mock_server.faults import BaseFault, FaultReader, Seconds

BROKER_FAILURE_STATUS: Final = 500


class Kind(StrEnum):
    """The kinds of fault."""

    STATUS = "status"
    """500 is answered as EventGate does when Kafka fails; another status as a proxy in front of it would."""
    DELAY = "delay"
    """The events are produced, and the answer is ``seconds`` late."""
    HANG = "hang"
    """Nothing is produced and no answer is sent, as with Kafka down."""
    ACCEPT_THEN_HANG = "accept_then_hang"
    """The events are produced, and no answer is sent."""
    RESET = "reset"
    """Nothing is produced, and the connection is reset."""
    ACCEPT_THEN_RESET = "accept_then_reset"
    """The events are produced, and the connection is reset."""
    PARTIAL = "partial"
    """Kafka refuses every second event of several."""


class GateFault(BaseFault):
    """One fault as it was requested. With ``stream`` it applies only to requests with an event for that stream."""

    kind: Annotated[Kind, Field(strict=False)]
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    seconds: Seconds | None = None
    stream: str | None = None

    @model_validator(mode="after")
    def _has_the_fields_of_its_kind(self) -> Self:
        for name, kind in (("status", Kind.STATUS), ("seconds", Kind.DELAY)):
            if (getattr(self, name) is not None) != (self.kind is kind):
                raise ValueError(f"{name}: expected with the kind {kind}, and with no other")
        return self

    @property
    def produces(self) -> bool:
        """Whether the request's events are judged and produced, except those that Kafka refuses."""
        if self.kind is Kind.STATUS:
            return self.status == BROKER_FAILURE_STATUS
        return self.kind not in (Kind.HANG, Kind.RESET)

    def refuses(self, number: int) -> bool:
        """Return whether Kafka refuses the n-th valid event of a request, counted from 0."""
        if self.kind is Kind.PARTIAL:
            return number % 2 == 1
        return self.kind is Kind.STATUS

    def concerns(self, streams: Sequence[str | None]) -> bool:
        """Return whether the fault applies to a request with events for these streams; partial needs several events."""
        return (self.stream is None or self.stream in streams) and (
            self.kind is not Kind.PARTIAL or len(streams) > 1
        )


def fault_reader(streams: Collection[str]) -> FaultReader[GateFault]:
    """Return a reader of fault documents; ``streams`` are those that a fault may name."""

    def check(fault: GateFault) -> str | None:
        if fault.stream is None or fault.stream in streams:
            return None
        return "stream: expected the name of a configured stream"

    return FaultReader(dict.fromkeys(Kind, GateFault), check)
