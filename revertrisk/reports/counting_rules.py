"""The rules by which the report on bots counts reverts, and how many reverts are left after each of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from revertrisk.reports.bot_rows import RevertedRows
from revertrisk.reports.watched import Booleans

COUNTING_RULES: Final = {
    "notebook": "Content namespaces, no page creations, reverted within the window. A listed bot counts at any time.",
    "self-reverts": "Reverts that revert only edits by their own author are left out.",
    "null edits": "Reverts that revert only edits without a change are left out.",
    "validity": "A bot counts only on the days for which it is listed.",
}
"""The rules by which this report differs from the notebook, in the order in which they are applied."""


@dataclass(frozen=True, slots=True)
class RuleStep:
    """How many reverts are left after a rule, on the way from the count of the 2023 notebook to that of this report."""

    wiki_id: str
    rule: str
    reverts: int
    bot_reverts: int
    bot_reverts_reverted: int


def keep_bots(rows: RevertedRows, members: Booleans) -> RevertedRows:
    """Return the rows without the name of the bot, except in the rows that a mask selects."""
    return replace(rows, bot=np.where(members, rows.bot, ""))


def counting_steps(wiki_id: str, rows: RevertedRows) -> Iterator[RuleStep]:
    """Yield how many reverts of a wiki are left after each of `COUNTING_RULES`."""
    parts = {"notebook": rows}
    parts["self-reverts"] = rows.part(~rows.is_self)
    parts["null edits"] = rows.part(~rows.is_self & ~rows.is_null_edit)
    parts["validity"] = keep_bots(parts["null edits"], parts["null edits"].is_valid)
    for rule, part in parts.items():
        reverts = part.reverts()
        by_bot = reverts.bot != ""
        yield RuleStep(
            wiki_id,
            rule,
            len(by_bot),
            int(by_bot.sum()),
            int((by_bot & (reverts.undone_by > 0)).sum()),
        )
