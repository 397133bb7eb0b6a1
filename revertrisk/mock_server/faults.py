"""Fault injection: reads faults from documents, chooses the fault for a request, and serves ``/_mock/faults``.

A fault has a ``kind``. It applies to all requests, to the ``next`` n, or to a share (``rate``). ``seed`` makes the
share repeatable. Each mock adds its own kinds and fields.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Final, Generic, Self, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from revertrisk.mock_server.http import bad_request, read_document
from revertrisk.runtime.validation import explain
from revertrisk.runtime.web_server import json_answer

MAX_FAULTS: Final = 100
MAX_COUNT: Final = 1_000_000_000
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Seconds = Annotated[float, Field(ge=0, le=3600)]


class FaultError(ValueError):
    """A fault document that cannot be used; the message begins with the field."""


class BaseFault(BaseModel):
    """The fields of every fault. Without ``rate`` and ``next`` it applies to every request."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: str
    rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    next: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = None
    seed: Count = 0

    @model_validator(mode="after")
    def _has_next_or_rate(self) -> Self:
        if self.next is not None and {"rate", "seed"} & self.model_fields_set:
            raise ValueError("next: expected either next, or rate and seed")
        return self


AnyFault = TypeVar("AnyFault", bound=BaseFault)


class ActiveFault(Generic[AnyFault]):
    """A fault that is set, and how often it has fired."""

    def __init__(self, fault: AnyFault) -> None:
        self.fault = fault
        self._fired = 0
        self._random = random.Random(fault.seed)  # noqa: S311 - a repeatable sequence is wanted

    @property
    def is_spent(self) -> bool:
        """Whether it has fired ``next`` times."""
        return self.fault.next is not None and self._fired >= self.fault.next

    def try_to_fire(self) -> bool:
        """Return whether it fires for this request, and count it if so."""
        if self.is_spent or (self.fault.next is None and self._random.random() >= self.fault.rate):
            return False
        self._fired += 1
        return True

    def as_json(self) -> dict[str, Any]:
        """Return it as ``GET /_mock/faults`` shows it, with what is left of ``next``."""
        shown = self.fault.model_dump(
            mode="json", exclude_none=True, exclude={"kind", "rate", "seed", "next"}
        )
        if self.fault.next is None:
            shown |= {"rate": self.fault.rate, "seed": self.fault.seed}
        else:
            shown["next"] = self.fault.next - self._fired
        return {"kind": str(self.fault.kind), **shown, "fired": self._fired}


class FaultBoard(Generic[AnyFault]):
    """The faults that are set, in their order, and how often each kind has fired."""

    def __init__(self) -> None:
        self._active: list[ActiveFault[AnyFault]] = []
        self._released = asyncio.Event()
        self._counts: Counter[str] = Counter()

    def replace(self, faults: Collection[AnyFault]) -> None:
        """Replace all faults, and release requests that hang."""
        self._active.clear()
        self.add(faults)
        self._released.set()
        self._released = asyncio.Event()

    def add(self, faults: Collection[AnyFault]) -> None:
        """Add faults after the present ones.

        Raises:
            FaultError: there would be more than `MAX_FAULTS`.

        """
        if len(self._active) + len(faults) > MAX_FAULTS:
            raise FaultError(f"body: expected at most {MAX_FAULTS} faults in all")
        self._active.extend(map(self._activate, faults))

    def select(self, concerns: Callable[[AnyFault], bool]) -> AnyFault | None:
        """Return the first fault that fires for a request, and count it.

        Only faults for which ``concerns`` is true are tried.
        """
        for active in self._active:
            if concerns(active.fault) and active.try_to_fire():
                self._count(active.fault.kind)
                if active.is_spent:
                    self._active.remove(active)
                return active.fault
        return None

    async def released(self) -> None:
        """Wait until the faults are replaced or removed."""
        await self._released.wait()

    def as_json(self) -> list[dict[str, Any]]:
        """Return the faults, each with what is left of ``next`` and how often it has fired."""
        return [active.as_json() for active in self._active]

    def counts(self) -> dict[str, int]:
        """Return how many requests each kind has fired for since the start or the last :meth:`forget`."""
        return dict(self._counts)

    def forget(self) -> None:
        """Reset the counts to zero; the faults stay set."""
        self._counts.clear()

    def _activate(self, fault: AnyFault) -> ActiveFault[AnyFault]:
        return ActiveFault(fault)

    def _count(self, kind: str) -> None:
        self._counts[str(kind)] += 1


class FaultReader(Generic[AnyFault]):
    """Reads faults from JSON.

    ``kinds`` maps each kind to the class with its fields. ``check`` returns a problem that the types cannot express,
    as text that begins with the field; None if there is none.
    """

    def __init__(self, kinds: Mapping[str, type[AnyFault]], check: Callable[[AnyFault], str | None]) -> None:
        self._kinds = kinds
        self._check = check

    def read(self, document: Any) -> list[AnyFault]:
        """Return the faults in an object, or in an array of objects.

        Raises:
            FaultError: one of them cannot be used.

        """
        if not isinstance(document, list):
            return [self._read(document, "")]
        if len(document) > MAX_FAULTS:
            raise FaultError(f"body: expected at most {MAX_FAULTS} faults in all")
        return [self._read(entry, f"[{index}]") for index, entry in enumerate(document)]

    def _read(self, document: Any, where: str) -> AnyFault:
        prefix = f"{where}." if where else ""
        if not isinstance(document, dict):
            raise FaultError(f'{where or "body"}: expected an object, such as {{"kind": "hang"}}')
        kind = document.get("kind")
        if not isinstance(kind, str) or kind not in self._kinds:
            raise FaultError(f"{prefix}kind: expected one of {', '.join(self._kinds)}")
        try:
            fault = self._kinds[kind].model_validate(document)
        except ValidationError as exc:  # only the first problem is reported
            raise FaultError(f"{prefix}{explain(exc)[0]}") from None
        if problem := self._check(fault):
            raise FaultError(f"{prefix}{problem}")
        return fault


class FaultRoutes(Generic[AnyFault]):
    """Handlers of ``/_mock/faults``."""

    def __init__(self, board: FaultBoard[AnyFault], reader: FaultReader[AnyFault]) -> None:
        self._board = board
        self._reader = reader

    async def show(self, _request: web.Request) -> web.Response:
        """Return the faults, each with how often it has fired."""
        return json_answer(self._board.as_json())

    async def replace(self, request: web.Request) -> web.Response:
        """Replace all faults by one fault, or an array of them, and release requests that hang."""
        return await self._set(request, self._board.replace, status=200)

    async def add(self, request: web.Request) -> web.Response:
        """Add a fault, or an array of faults, after the earlier ones."""
        return await self._set(request, self._board.add, status=201)

    async def clear(self, _request: web.Request) -> web.Response:
        """Remove all faults, and release requests that hang."""
        self._board.replace([])
        return web.Response(status=204)

    async def _set(
        self, request: web.Request, put: Callable[[Collection[AnyFault]], None], *, status: int
    ) -> web.Response:
        document = await read_document(request)
        try:
            put(self._reader.read(document))
        except FaultError as exc:
            raise bad_request(str(exc)) from None
        return json_answer(self._board.as_json(), status=status)
