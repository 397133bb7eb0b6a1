"""The faults in force, which apply to requests or to the revisions that are requested."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mock_mediawiki.faults import HideFault, InvisibleFault, RequestFault, RevisionFault
from mock_mediawiki.veil import VeiledHistory
from revertrisk.mock_server.faults import ActiveFault, FaultBoard
from revertrisk.wiki.history import History, Part

AnyWikiFault = RequestFault | RevisionFault


class WikiFaultBoard(FaultBoard[AnyWikiFault]):
    """The faults in force; ``now`` is a monotonic clock in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now

    def select_for_request(self, wiki_id: str | None) -> RequestFault | None:
        """Return the first fault that fires for a request to a wiki; ``wiki_id`` is None for an unknown host."""
        fault = self.select(
            lambda fault: (
                not isinstance(fault, InvisibleFault | HideFault) and fault.wiki_id in {None, wiki_id}
            )
        )
        return None if isinstance(fault, InvisibleFault | HideFault) else fault

    def view(self, history: History, wiki_id: str, asked: Iterable[int] = ()) -> History:
        """Return the history that one request sees; ``asked`` are the revisions that it requests by id."""
        of_revisions = [active for active in self._active if isinstance(active, _OfRevisions)]
        if not of_revisions:
            return history
        invisible: set[int] = set()
        fired: set[str] = set()
        for rev_id in set(asked):
            if history.revision(wiki_id, rev_id) is None:
                continue  # counting revisions that do not exist would take unlimited memory
            kinds = {active.fault.kind for active in of_revisions if active.ask(wiki_id, rev_id)}
            if "invisible" in kinds:
                invisible.add(rev_id)
            fired |= kinds
        for kind in fired:
            self._count(kind)

        def hidden(wiki_id: str, rev_id: int) -> frozenset[Part]:
            return frozenset[Part]().union(*(active.hidden(wiki_id, rev_id) for active in of_revisions))

        return VeiledHistory(history, invisible, hidden)

    def _activate(self, fault: AnyWikiFault) -> ActiveFault[AnyWikiFault]:
        if isinstance(fault, InvisibleFault | HideFault):
            return _OfRevisions(fault, self._now)
        return ActiveFault(fault)


@dataclass(slots=True)
class _Asked:
    """How often a revision was requested since a fault selected it, and the time of the first request."""

    since: float
    times: int = 0


class _OfRevisions(ActiveFault[AnyWikiFault]):
    """A fault that applies to single revisions. It is decided once for each, at its first request."""

    def __init__(self, fault: RevisionFault, now: Callable[[], float]) -> None:
        super().__init__(fault)
        self._revision_fault = fault
        self._now = now
        self._asked: dict[tuple[str, int], _Asked | None] = {}  # None: the fault does not apply

    def ask(self, wiki_id: str, rev_id: int) -> bool:
        """Count a request for a revision; return whether the fault applies to this request."""
        if self.fault.wiki_id not in {None, wiki_id} or self._revision_fault.rev_id not in {None, rev_id}:
            return False
        key = wiki_id, rev_id
        if key not in self._asked:
            self._asked[key] = _Asked(self._now()) if self.try_to_fire() else None
        if (asked := self._asked[key]) is None:
            return False
        asked.times += 1
        match self._revision_fault:
            case HideFault(after=after):
                return asked.times > after
            case InvisibleFault(requests=int(requests)):
                return asked.times <= requests
            case InvisibleFault(seconds=seconds):
                return self._now() - asked.since < (seconds or 0)

    def hidden(self, wiki_id: str, rev_id: int) -> frozenset[Part]:
        """Return the parts of a revision that this fault hides now."""
        asked = self._asked.get((wiki_id, rev_id))
        fault = self._revision_fault
        if not isinstance(fault, HideFault) or asked is None or asked.times <= fault.after:
            return frozenset()
        return frozenset(fault.parts)
