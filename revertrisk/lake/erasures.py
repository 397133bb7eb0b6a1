"""Remembers what was erased, so that a copy of an old event does not bring it back.

The lake holds keyed hashes only: without the key, nothing in it leads to what was erased.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from revertrisk.lake.engine import Connection, make_table, table_relation
from revertrisk.lake.errors import LakeConfigurationError
from revertrisk.lake.key import ActorKeys
from revertrisk.lake.schema import ERASURE
from revertrisk.lake.tables import Change, Lake, merge

_LATEST: Final = Change({"erased": "s.erased"})
ERASED_ACTOR: Final = "actor"
ERASED_PAGE: Final = "page"
ERASED_REVISION: Final = "revision"


@dataclass(frozen=True, slots=True)
class Erasures:
    """What was erased, and when, by its keyed hash."""

    keys: ActorKeys
    moments: Mapping[str, datetime]

    def __bool__(self) -> bool:
        return bool(self.moments)

    def of_actor(self, actor_key: str | None) -> datetime | None:
        """Return when an actor was erased, None for one who was not."""
        return (
            self.moments.get(self.keys.erased(ERASED_ACTOR, actor_key))
            if actor_key and self.moments
            else None
        )

    def has(self, what: str, wiki_id: str, number: int) -> bool:
        """Tell whether a page or a revision was erased."""
        return self.keys.erased(what, numbered(wiki_id, number)) in self.moments


def read_erasures(engine: Connection, lake: Lake) -> Erasures:
    """Return what was erased so far; takes a lake with its key.

    Raises:
        LakeError: the table cannot be read.

    """
    if lake.actor_keys is None:
        raise LakeConfigurationError(f"{lake.root}: the lake was opened without its key")
    rows = table_relation(engine, lake, ERASURE).project("erased_key, erased").fetchall()
    return Erasures(lake.actor_keys, dict(rows))


def numbered(wiki_id: str, number: int) -> str:
    """Return the name of a page or a revision."""
    return f"{wiki_id}\0{number}"


def remember(engine: Connection, lake: Lake, named: Iterable[tuple[str, str]], now: datetime) -> None:
    """Write down what is erased now, each with its kind before it; takes a lake with its key.

    An actor's name is the actor key. Raises LakeError.
    """
    if lake.actor_keys is None:
        raise LakeConfigurationError(f"{lake.root}: the lake was opened without its key")
    rows = [
        {"erased_key": lake.actor_keys.erased(what, name), "what": what, "erased": now.isoformat()}
        for what, name in set(named)
    ]
    columns = {each.name: each.type for each in ERASURE.columns}
    merge(lake, ERASURE, make_table(engine, "erasures_now", rows, columns), (), _LATEST)
