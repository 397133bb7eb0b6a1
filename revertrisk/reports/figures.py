"""A figure as reports show it: with its interval, its n and its definition, or the reason why it is not shown."""

from dataclasses import dataclass
from typing import Final

from revertrisk.reports.intervals import LEAST_PAGES, difference_interval, share_interval

LEAST: Final = 30
"""No figure below 30 reverted and 30 other edits in a cell."""

DEFINITIONS: Final = {
    "share_reverted": "Share of the edits that somebody else reverted within the horizon. An edit whose author took it "
    "back, or whose page was deleted, before that is not reverted by somebody else (competing events; Aalen-Johansen "
    "estimate up to the end of the record). Where an author is not known, it counts as somebody else's revert.",
    "share_reverted_flagged": "Share reverted among the flagged edits: those with a probability above the threshold.",
    "recall": "Of the edits reverted by somebody else within the horizon, the share that was flagged.",
    "flagged_not_reverted": "Of the edits that nobody else reverted within the horizon, the share that was flagged. "
    "Not reverted does not mean good: nobody may have looked.",
    "auc": "Probability that an edit reverted by somebody else within the horizon scores above one that was not; ties "
    "count half. Edits that are watched for less than the horizon are stood for by those watched longer (inverse "
    "probability of being watched).",
    "auc_difference": "AUC of the second model less that of the first, on the edits that both scored.",
    "calibration": "Mean probability and share reverted in tenths of the edits, by probability; tenths with too few "
    "edits for a figure are taken together.",
    "calibration_gap": "Mean probability less share reverted. Above 0: the model says more reverts than there are.",
    "share_self_reverted": "Share of the edits that their own author took back first within the horizon.",
    "share_deleted": "Share of the edits whose page was deleted first within the horizon.",
    "share_revert_reverted": "Of the edits reverted by somebody else within the horizon, the share whose revert was "
    "itself reverted within the horizon after it; edits watched for twice the horizon only.",
    "ratio": "Share among a kind of user over that among registered accounts that are no bots (for a range of edit "
    "counts: over that among the other registered accounts), within one wiki.",
    "flagged_a_day": "Mean number a day of edits above the threshold, over whole days (UTC); the interval is over the "
    "days.",
    "first": "Share of the flagged edits that ended first by: a revert by a person, by a bot, by an account that "
    "acts on the score, by the author, or the deletion of the page.",
    "seconds_saved": "Median time that a flagged edit stood before a person reverted it, of those that a person "
    "reverted within the horizon: what a revert at once would save.",
    "hours_saved_a_day": "The sum of these times, a day.",
    "bots_share": "Of all reverts, the share made by listed bots: all days' sums.",
    "bot_reverts_reverted": "Of the reverts by listed bots, the share that was itself reverted, whenever.",
    "undone_by_base_editor": "Of the reverts by listed bots that were reverted, the share that the author of the "
    "reverted edit reverted.",
    "model_flags_of_bots": "Of the edits that a listed bot reverted and the model scored, the share with a probability "
    "above the threshold.",
    "bots_made_of_models": "Of the edits with a probability above the threshold, the share that a listed bot reverted "
    "within the window.",
    "median_seconds": "Median time from an edit to its first revert, within the window.",
    "precision_by_people": "Share of the flagged edits that people judged to be damaging, weighed from the sheet to "
    "all flagged edits.",
}
"""What each figure says, by its name; the horizon, the threshold and the edits stand with the figure."""

RULES: Final = (
    f"Intervals are of 95 % and clustered by page. No figure is shown below {LEAST} reverted and {LEAST} other edits, "
    f"none for a horizon that fewer than {LEAST} edits have reached, and no interval between fewer than {LEAST_PAGES} "
    "pages."
)
NOT_GOOD: Final = "An edit that was not reverted is not thereby good: nobody may have looked at it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure; ``value`` is None where it is not shown, and ``note`` then says why."""

    measure: str
    """A name of `DEFINITIONS`."""
    value: float | None
    low: float | None
    high: float | None
    """The 95 % interval, clustered by page; None where there are too few pages for one."""
    n: int
    """The edits that it is taken over."""
    reverted: int
    """How many of them somebody else is known to have reverted within the horizon."""
    pages: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """The edits behind a figure."""

    n: int
    reverted: int
    pages: int
    word: str = "reverted"
    """What those of ``reverted`` are."""

    @property
    def refusal(self) -> str | None:
        """Why no figure may be shown; None where there are enough edits."""
        if min(self.reverted, self.n - self.reverted) >= LEAST:
            return None
        return f"too few (n = {self.n}, {self.reverted} {self.word})"


def share(measure: str, value: float, error: float, basis: Basis) -> Figure:
    """Return a figure between 0 and 1, or why it is not shown."""
    return _figure(measure, value, error, basis, is_share=True)


def difference(measure: str, value: float, error: float, basis: Basis) -> Figure:
    """Return a figure between -1 and 1, or why it is not shown."""
    return _figure(measure, value, error, basis, is_share=False)


def refused(measure: str, basis: Basis, note: str) -> Figure:
    """Return a figure that is not shown."""
    return Figure(
        measure=measure,
        value=None,
        low=None,
        high=None,
        n=basis.n,
        reverted=basis.reverted,
        pages=basis.pages,
        note=note,
    )


def _figure(measure: str, value: float, error: float, basis: Basis, *, is_share: bool) -> Figure:
    refusal = basis.refusal
    if refusal is not None:
        return refused(measure, basis, refusal)
    low, high, note = None, None, None
    if basis.pages < LEAST_PAGES:
        note = f"no interval: {basis.pages} page{'s' * (basis.pages != 1)}, {LEAST_PAGES} are needed"
    elif is_share:
        low, high = share_interval(value, error, basis.pages)
    else:
        low, high = difference_interval(value, error, basis.pages)
    return Figure(
        measure=measure,
        value=value,
        low=low,
        high=high,
        n=basis.n,
        reverted=basis.reverted,
        pages=basis.pages,
        note=note,
    )
