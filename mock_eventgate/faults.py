"""Faults on demand: what can be asked for, and which one strikes a request.

A fault says what goes wrong (``kind``) and when: for a share of the requests (``rate``, from a seeded
generator, so that a run repeats), for the next so many (``next``), or always; if wanted only for requests
with an event of one ``stream``. Only requests that carry events are struck.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

MAX_FAULTS: Final = 100
MAX_DELAY: Final = 3600.0
MAX_COUNT: Final = 1_000_000_000
BROKER_FAILURE_STATUS: Final = 500
_STATUSES: Final = (200, 599)


class Kind(StrEnum):
    """What goes wrong."""

    STATUS = "status"
    """500 as EventGate answers it when Kafka fails; any other status as a proxy in front of it would."""
    DELAY = "delay"
    """Everything as usual, but the answer comes ``seconds`` late."""
    HANG = "hang"
    """Nothing is produced and no answer comes, as with Kafka down."""
    ACCEPT_THEN_HANG = "accept_then_hang"
    """The events are produced, and no answer comes."""
    RESET = "reset"
    """Nothing is produced, and the connection is reset."""
    ACCEPT_THEN_RESET = "accept_then_reset"
    """The events are produced, and the connection is reset."""
    PARTIAL = "partial"
    """Of several events every second one is refused by Kafka."""


_FIELDS_OF: Final[Mapping[Kind, tuple[str, ...]]] = {Kind.STATUS: ("status",), Kind.DELAY: ("seconds",)}
_COMMON_FIELDS: Final = ("kind", "next", "rate", "seed", "stream")


class FaultError(ValueError):
    """A fault document that cannot be used; the message begins with the field."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault as it was asked for. ``rate`` is from 0 to 1; ``next``, if set, takes its place.

    ``status`` and ``seconds`` mean something for the kinds `STATUS` and `DELAY` only.
    """

    kind: Kind
    status: int = BROKER_FAILURE_STATUS
    seconds: float = 0.0
    rate: float = 1.0
    next: int | None = None
    seed: int = 0
    stream: str | None = None

    @property
    def produces(self) -> bool:
        """Tell whether the request's events are judged and, as far as Kafka takes them, produced."""
        if self.kind is Kind.STATUS:
            return self.status == BROKER_FAILURE_STATUS
        return self.kind not in (Kind.HANG, Kind.RESET)

    def refuses(self, number: int) -> bool:
        """Tell whether Kafka refuses the n-th valid event of a request, counted from 0."""
        if self.kind is Kind.PARTIAL:
            return number % 2 == 1
        return self.kind is Kind.STATUS


class _Active:
    """A fault in force, with what it has done so far."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.fired = 0
        self._random = random.Random(fault.seed)  # noqa: S311 - chance that repeats is what is wanted

    @property
    def is_spent(self) -> bool:
        return self.fault.next is not None and self.fired >= self.fault.next

    def fires(self, streams: Sequence[str | None]) -> bool:
        fault = self.fault
        if fault.stream is not None and fault.stream not in streams:
            return False
        if fault.kind is Kind.PARTIAL and len(streams) < 2:  # noqa: PLR2004 - a part needs several
            return False
        if fault.next is None and self._random.random() >= fault.rate:
            return False
        self.fired += 1
        return True

    def as_json(self) -> dict[str, Any]:
        fault = self.fault
        shown: dict[str, Any] = {"kind": fault.kind}
        shown |= {name: getattr(fault, name) for name in _FIELDS_OF.get(fault.kind, ())}
        if fault.stream is not None:
            shown["stream"] = fault.stream
        if fault.next is not None:
            shown["next"] = fault.next - self.fired
        else:
            shown |= {"rate": fault.rate, "seed": fault.seed}
        return shown | {"fired": self.fired}


class Faults:
    """The faults in force, in the order in which they were set."""

    def __init__(self) -> None:
        self._active: list[_Active] = []

    def replace(self, faults: Collection[Fault]) -> None:
        """Put faults in force instead of all earlier ones.

        :raises FaultError: if they are too many.
        """
        _check_count(len(faults))
        self._active = [_Active(fault) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Put one more fault in force, behind the others.

        :raises FaultError: if they become too many.
        """
        _check_count(len(self._active) + 1)
        self._active.append(_Active(fault))

    def strike(self, streams: Sequence[str | None]) -> Fault | None:
        """Return the first fault that strikes a request with events for these streams, and count it."""
        for active in self._active:
            if active.fires(streams):
                if active.is_spent:
                    self._active.remove(active)
                return active.fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        """Return the faults in force as ``GET /_mock/faults`` shows them; spent ones are gone."""
        return [active.as_json() for active in self._active]


def read_faults(document: Any, streams: Collection[str]) -> list[Fault]:
    """Return the faults that a JSON array describes; ``streams`` are those that a fault may name.

    :raises FaultError: if it is not an array of fault documents.
    """
    if not isinstance(document, list):
        raise FaultError("body: expected an array of faults")
    return [read_fault(entry, streams, f"[{index}]") for index, entry in enumerate(document)]


def read_fault(document: Any, streams: Collection[str], where: str = "") -> Fault:
    """Return the fault that a JSON object describes; ``where`` is its place in a larger document.

    :raises FaultError: if it is not a fault document.
    """
    if not isinstance(document, dict):
        raise FaultError(f'{where or "body"}: expected an object, such as {{"kind": "hang"}}')
    fields = _Fields(document, f"{where}." if where else "")
    kind = fields.kind()
    fields.check_names(kind)
    lowest, highest = _STATUSES
    return Fault(
        kind,
        status=fields.integer("status", lowest, highest) if kind is Kind.STATUS else BROKER_FAILURE_STATUS,
        seconds=fields.number("seconds", MAX_DELAY) if kind is Kind.DELAY else 0.0,
        rate=fields.number("rate", 1.0) if "rate" in document else 1.0,
        next=fields.integer("next", 1, MAX_COUNT) if "next" in document else None,
        seed=fields.integer("seed", 0, MAX_COUNT) if "seed" in document else 0,
        stream=fields.stream(streams) if "stream" in document else None,
    )


class _Fields:
    """The fields of one fault document, read with errors that name them."""

    def __init__(self, document: Mapping[str, Any], prefix: str) -> None:
        self._document = document
        self._prefix = prefix

    def kind(self) -> Kind:
        try:
            return Kind(self._document.get("kind"))  # type: ignore[arg-type]  # anything may be there
        except ValueError:
            raise self._error("kind", f"expected one of {', '.join(Kind)}") from None

    def check_names(self, kind: Kind) -> None:
        known = (*_COMMON_FIELDS, *_FIELDS_OF.get(kind, ()))
        for name in self._document:
            if name not in known:
                raise self._error(name, f"not a field of {kind}; it has {', '.join(known)}")
        if "next" in self._document and self._document.keys() & {"rate", "seed"}:
            raise self._error("next", "expected either next, or rate and seed")

    def integer(self, name: str, least: int, most: int) -> int:
        value = self._document.get(name)
        if type(value) is int and least <= value <= most:  # a boolean is no number here
            return value
        raise self._error(name, f"expected an integer from {least} to {most}")

    def number(self, name: str, most: float) -> float:
        value = self._document.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most:
            return float(value)
        raise self._error(name, f"expected a number from 0 to {most:g}")

    def stream(self, streams: Collection[str]) -> str:
        value = self._document["stream"]
        if isinstance(value, str) and value in streams:
            return value
        raise self._error("stream", "expected the name of a configured stream")

    def _error(self, name: str, message: str) -> FaultError:
        return FaultError(f"{self._prefix}{name}: {message}")


def _check_count(count: int) -> None:
    if count > MAX_FAULTS:
        raise FaultError(f"body: expected at most {MAX_FAULTS} faults in all")
