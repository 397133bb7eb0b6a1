"""Records what was erased, so that a copy of an old event does not add it again.

The record holds only keyed hashes. Without the key, they do not show what was erased.
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
    """The record of erasures, with the time of each erasure by its keyed hash."""

    keys: ActorKeys
    times: Mapping[str, datetime]

    def __bool__(self) -> bool:
        return bool(self.times)

    def of_actor(self, actor_key: str | None) -> datetime | None:
        """Return when an actor was erased, or None."""
        return self.times.get(self.keys.erased(ERASED_ACTOR, actor_key)) if actor_key and self.times else None

    def has(self, what: str, wiki_id: str, number: int) -> bool:
        """Return whether a page or a revision was erased."""
        return self.keys.erased(what, numbered_name(wiki_id, number)) in self.times


def read_erasures(engine: Connection, lake: Lake) -> Erasures:
    """Return the record of a lake, which must be opened with its key.

    Raises:
        LakeError: the table cannot be read.

    """
    if lake.actor_keys is None:
        raise LakeConfigurationError(f"{lake.root}: the lake was opened without its key")
    rows = table_relation(engine, lake, ERASURE).project("erased_key, erased").fetchall()
    return Erasures(lake.actor_keys, dict(rows))


def numbered_name(wiki_id: str, number: int) -> str:
    """Return the text that stands for a page or a revision in the keyed hash."""
    return f"{wiki_id}\0{number}"


def record_erasures(engine: Connection, lake: Lake, named: Iterable[tuple[str, str]], now: datetime) -> None:
    """Add erasures to the record of a lake, which must be opened with its key.

    ``named`` has pairs of kind and name; the name is an actor key, or what `numbered_name` returns. Raises LakeError.
    """
    if lake.actor_keys is None:
        raise LakeConfigurationError(f"{lake.root}: the lake was opened without its key")
    rows = [
        {"erased_key": lake.actor_keys.erased(what, name), "what": what, "erased": now.isoformat()}
        for what, name in set(named)
    ]
    columns = {each.name: each.type for each in ERASURE.columns}
    merge(lake, ERASURE, make_table(engine, "erasures_now", rows, columns), (), _LATEST)
