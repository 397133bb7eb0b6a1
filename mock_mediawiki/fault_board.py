"""The faults in force: which of them strikes a request, and what they do to the revisions that it asks for."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mock_mediawiki.faults import (
    MAX_FAULTS,
    FaultError,
    HideFault,
    InvisibleFault,
    RequestFault,
    RevisionFault,
)
from mock_mediawiki.veil import VeiledHistory
from revertrisk.wiki.history import History, Part

AnyFault = TypeVar("AnyFault", bound=RequestFault | RevisionFault)


class FaultBoard:
    """The faults in force, in the order in which they were set, and how often each kind has struck.

    ``now`` gives seconds that only grow.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._active: list[_OfRequests | _OfRevisions] = []
        self._released = asyncio.Event()
        self._counts: Counter[str] = Counter()

    def replace(self, faults: Collection[RequestFault | RevisionFault]) -> None:
        """Put faults in force instead of all earlier ones; what hangs is let go."""
        self._active.clear()
        self.add(faults)
        self._released.set()
        self._released = asyncio.Event()

    def add(self, faults: Collection[RequestFault | RevisionFault]) -> None:
        """Put faults in force behind those that are.

        :raises FaultError: if they become too many.
        """
        if len(self._active) + len(faults) > MAX_FAULTS:
            raise FaultError(f"body: expected at most {MAX_FAULTS} faults in all")
        for fault in faults:
            if isinstance(fault, InvisibleFault | HideFault):
                self._active.append(_OfRevisions(fault, self._now))
            else:
                self._active.append(_OfRequests(fault))

    def as_json(self) -> list[dict[str, Any]]:
        """Return the faults in force, with what is left of ``next``, and how often each has fired."""
        return [active.as_json() for active in self._active]

    def counts(self) -> dict[str, int]:
        """Return how many requests each kind has struck since the start or the last :meth:`forget`."""
        return dict(self._counts)

    def forget(self) -> None:
        """Set the counts back; the faults stay in force."""
        self._counts.clear()

    async def released(self) -> None:
        """Wait until the faults that are in force now are replaced or lifted."""
        await self._released.wait()

    def strike(self, wiki_id: str | None) -> RequestFault | None:
        """Return the first fault that strikes a request to a wiki, None being a host that is no wiki's."""
        for active in self._active:
            if isinstance(active, _OfRequests) and active.concerns(wiki_id) and active.fires():
                self._counts[active.fault.kind] += 1
                if active.is_spent:
                    self._active.remove(active)
                return active.fault
        return None

    def view(self, history: History, wiki_id: str, asked: Iterable[int] = ()) -> History:
        """Return a history as the faults show it to one request, which asks for these revisions by id."""
        of_revisions = [active for active in self._active if isinstance(active, _OfRevisions)]
        if not of_revisions:
            return history
        invisible: set[int] = set()
        struck: set[str] = set()
        for rev_id in set(asked):
            if history.revision(wiki_id, rev_id) is None:
                continue  # to count what does not exist would take memory without bounds
            kinds = {active.fault.kind for active in of_revisions if active.ask(wiki_id, rev_id)}
            if "invisible" in kinds:
                invisible.add(rev_id)
            struck |= kinds
        self._counts.update(struck)

        def hidden(wiki_id: str, rev_id: int) -> frozenset[Part]:
            return frozenset[Part]().union(*(active.hidden(wiki_id, rev_id) for active in of_revisions))

        return VeiledHistory(history, invisible, hidden)


class _Active(Generic[AnyFault]):
    """A fault in force, with what it has done so far."""

    def __init__(self, fault: AnyFault) -> None:
        self.fault = fault
        self._fired = 0
        self._random = random.Random(fault.seed)  # noqa: S311 - chance that repeats is what is wanted

    @property
    def is_spent(self) -> bool:
        return self.fault.next is not None and self._fired >= self.fault.next

    def concerns(self, wiki_id: str | None) -> bool:
        return self.fault.wiki_id in {None, wiki_id}

    def fires(self) -> bool:
        if self.is_spent or (self.fault.next is None and self._random.random() >= self.fault.rate):
            return False
        self._fired += 1
        return True

    def as_json(self) -> dict[str, Any]:
        shown = self.fault.model_dump(mode="json", exclude_none=True, exclude={"rate", "seed", "next"})
        if self.fault.next is None:
            shown |= {"rate": self.fault.rate, "seed": self.fault.seed}
        else:
            shown["next"] = self.fault.next - self._fired
        return {"kind": shown.pop("kind"), **shown, "fired": self._fired}


class _OfRequests(_Active[RequestFault]):
    """A fault that strikes requests as a whole."""


@dataclass(slots=True)
class _Asked:
    """How often a revision was asked for since a fault chose it, and when first."""

    since: float
    times: int = 0


class _OfRevisions(_Active[RevisionFault]):
    """A fault that strikes single revisions. Chance decides about each once, when it is first asked for."""

    def __init__(self, fault: RevisionFault, now: Callable[[], float]) -> None:
        super().__init__(fault)
        self._now = now
        self._asked: dict[tuple[str, int], _Asked | None] = {}  # None: chance has spared it

    def ask(self, wiki_id: str, rev_id: int) -> bool:
        """Count that a revision is asked for; return whether this request sees what the fault does."""
        if not self.concerns(wiki_id) or self.fault.rev_id not in {None, rev_id}:
            return False
        key = wiki_id, rev_id
        if key not in self._asked:
            self._asked[key] = _Asked(self._now()) if self.fires() else None
        if (asked := self._asked[key]) is None:
            return False
        asked.times += 1
        match self.fault:
            case HideFault(after=after):
                return asked.times > after
            case InvisibleFault(requests=int(requests)):
                return asked.times <= requests
            case InvisibleFault(seconds=seconds):
                return self._now() - asked.since < (seconds or 0)

    def hidden(self, wiki_id: str, rev_id: int) -> frozenset[Part]:
        """Return what this fault hides of a revision by now."""
        asked = self._asked.get((wiki_id, rev_id))
        if not isinstance(self.fault, HideFault) or asked is None or asked.times <= self.fault.after:
            return frozenset()
        return frozenset(self.fault.parts)
