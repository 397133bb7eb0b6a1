"""Which edits somebody should look at now: above their threshold, and neither reverted nor hidden yet.

Three streams tell it, in any order and more than once: predictions, page_change and revision-visibility-change. So
what was reverted or hidden is remembered, and a prediction that comes later finds it. Of each revision and model the
greatest event counts, as ``docs/STREAM.md`` says. Everything is bounded; what came first is forgotten first.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from revertrisk.consumer import Drop, Hiding, PredictionReader, PredictionRecord, read_hiding
from revertrisk.dashboard.event_fields import Revert, author_of, plain, read_revert, title_of
from revertrisk.dashboard.recent import Recent
from revertrisk.event_platform.streams import BACKFILL_SUFFIX, SHADOW_SUFFIX, is_canary, received_at
from revertrisk.wiki.table import WikiTable
from revertrisk.wiki.user_kinds import UserKind, user_kind

MAX_OPEN: Final = 20_000
MAX_REMEMBERED: Final = 50_000
"""Predictions, pages with reverts, and hidings that are remembered, of each; an hour of all of Wikimedia's edits."""
MAX_MODELS: Final = 20
MAX_REVERTS_OF_PAGE: Final = 30
CLOCKS_DIFFER_BY: Final = timedelta(minutes=5)
"""An event from further in the future does not move the clock of the streams."""


class Order(StrEnum):
    """Which edits come first."""

    NEWEST = "newest"
    WORST = "worst"


class EditKey(NamedTuple):
    """What has one card: a revision as one model sees it."""

    wiki_id: str
    rev_id: int
    model_name: str


@dataclass(frozen=True, slots=True)
class OpenEdit:
    """An edit to look at; no name, no address and no comment of its author."""

    key: EditKey
    page_id: int
    model_version: str
    risk: float
    """Probability of a revert, 0 to 1."""
    title: str | None
    titled_at: datetime
    """When the event was received that told the title: a later one may tell another."""
    made_at: datetime
    received_at: datetime
    user_kind: UserKind


class Reverts(NamedTuple):
    """How many edits above their threshold were reverted, and how many of them by bots."""

    edits: int
    by_bots: int


class OpenEdits:
    """The edits to look at, as far as the events that were taken tell.

    ``threshold`` returns the least risk by model name, model version and wiki_id. ``hours`` are counted back from the
    newest event: while a stream stands still, no edit becomes too old.
    """

    def __init__(
        self,
        wikis: WikiTable,
        threshold: Callable[[str, str, str], float],
        *,
        hours: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._reader = PredictionReader()
        self._wikis = wikis
        self._threshold = threshold
        self.hours = hours
        """How long an edit is to be looked at."""
        self._now = now
        self._open: OrderedDict[EditKey, OpenEdit] = OrderedDict()
        self._of_page: dict[tuple[str, int], set[EditKey]] = {}
        self._of_revision: dict[tuple[str, int], set[EditKey]] = {}
        self._ranks: Recent[EditKey, tuple[Any, ...]] = Recent(MAX_REMEMBERED)
        self._hidings: Recent[tuple[str, bool, int], Hiding] = Recent(MAX_REMEMBERED)
        self._reverts: Recent[tuple[str, int], tuple[Revert, ...]] = Recent(MAX_REMEMBERED)
        self._left: deque[tuple[datetime, EditKey, bool]] = deque(maxlen=MAX_REMEMBERED)
        """What was reverted: when the streams were so far, the edit, and whether a bot did it."""
        self._counted: Recent[EditKey, None] = Recent(MAX_REMEMBERED)
        self.predictions: Counter[str] = Counter()
        """Live predictions that have come, by model."""
        self.duplicates: Counter[str] = Counter()
        """Those of them that had come before."""
        self.watermark: datetime | None = None
        """The greatest ``meta.dt`` of all events: how far the streams have come."""
        self.version = 0
        """Rises whenever something that is shown has changed."""

    def take(self, event: Any) -> None:
        """Take an event of any of the three streams; all others are passed over."""
        if not isinstance(event, Mapping):
            return
        self._note_time(event)
        if is_canary(event):
            return
        hiding = read_hiding(event)
        if hiding is not None:
            self._hide(hiding)
        elif "predicted_classification" in event:
            prediction = self._reader.read(event)
            if not isinstance(prediction, Drop):
                self._score(prediction, event)
        else:
            self._change_page(event)

    def to_look_at(self, wiki_id: str | None, model_name: str, order: Order) -> list[OpenEdit]:
        """Return the open edits of a wiki (None for all) by one model; the first is to be looked at first."""
        chosen = (
            edit
            for edit in self._open.values()
            if edit.key.model_name == model_name and wiki_id in {None, edit.key.wiki_id}
        )
        if order is Order.WORST:
            return sorted(chosen, key=lambda edit: (edit.risk, edit.made_at, edit.key), reverse=True)
        return sorted(chosen, key=lambda edit: (edit.made_at, edit.key), reverse=True)

    def reverts(self, wiki_id: str | None, model_name: str) -> Reverts:
        """Return how many edits of a wiki above its threshold were reverted within the hours that are kept."""
        by_bots = [
            by_bot
            for _, key, by_bot in self._left
            if key.model_name == model_name and wiki_id in {None, key.wiki_id}
        ]
        return Reverts(len(by_bots), sum(by_bots))

    def counts(self, model_name: str) -> dict[str, int]:
        """Return the number of open edits by one model, wiki by wiki in alphabetical order."""
        found = Counter(key.wiki_id for key in self._open if key.model_name == model_name)
        return dict(sorted(found.items()))

    @property
    def models(self) -> list[str]:
        """The models whose predictions have come."""
        return sorted(self.predictions)

    def forget_old(self) -> None:
        """Forget what is older than the hours that are kept."""
        if self.watermark is None:
            return
        first = self.watermark - timedelta(hours=self.hours)
        for key in [key for key, edit in self._open.items() if edit.received_at < first]:
            self._close(key)
        while self._left and self._left[0][0] < first:
            self._left.popleft()
            self.version += 1

    def _note_time(self, event: Mapping[str, Any]) -> None:
        at = received_at(event)
        if at is None or (self.watermark is not None and at <= self.watermark):
            return
        if at <= self._now() + CLOCKS_DIFFER_BY:
            self.watermark = at

    def _score(self, prediction: PredictionRecord, event: Mapping[str, Any]) -> None:
        if prediction.stream.endswith((BACKFILL_SUFFIX, SHADOW_SUFFIX)):
            return  # of the past, or on trial
        if self._wikis.by_id(prediction.wiki_id) is None:
            return
        key = EditKey(prediction.wiki_id, prediction.rev_id, prediction.model_name)
        if key.model_name not in self.predictions:
            if len(self.predictions) == MAX_MODELS:
                return
            self.version += 1
        self.predictions[key.model_name] += 1
        known = self._ranks.get(key)
        if known is not None:
            self.duplicates[key.model_name] += known[-1] == prediction.event_id
            if known >= prediction.rank:
                return
        self._ranks.note(key, prediction.rank)
        if prediction.probability <= self._threshold(key.model_name, prediction.model_version, key.wiki_id):
            self._close(key)
            return
        edit = OpenEdit(
            key,
            prediction.page_id,
            prediction.model_version,
            prediction.probability,
            title_of(event),
            prediction.received_at,
            prediction.changed_at,
            prediction.received_at,
            self._user_kind(event, prediction),
        )
        if self._is_hidden(edit):
            self._close(key)
            return
        revert = self._revert_of(edit)
        if revert is None:
            self._add(edit)
        else:
            self._leave(edit, revert)

    def _change_page(self, event: Mapping[str, Any]) -> None:
        match event:
            case {
                "wiki_id": str(wiki_id),
                "page": {"page_id": int(page_id), **page},
                "page_change_kind": str(),
            }:
                pass
            case _:
                return
        at = received_at(event)
        title = page.get("page_title")
        for key in self._of_page.get((wiki_id, page_id), ()):
            edit = self._open[key]
            if (
                at is not None
                and at > edit.titled_at
                and isinstance(title, str)
                and plain(title) != edit.title
            ):
                self._open[key] = replace(edit, title=plain(title), titled_at=at)
                self.version += 1
        revert = read_revert(event)
        if revert is not None:
            known = self._reverts.get((wiki_id, page_id)) or ()
            if revert not in known:
                self._reverts.note((wiki_id, page_id), (*known, revert)[-MAX_REVERTS_OF_PAGE:])
            for edit in self._edits(self._of_page.get((wiki_id, page_id), ())):
                if revert.oldest_id <= edit.key.rev_id <= revert.newest_id:
                    self._leave(edit, revert)

    def _hide(self, hiding: Hiding) -> None:
        subject = (hiding.wiki_id, hiding.of_page, hiding.number)
        known = self._hidings.get(subject)
        if known is not None and known.at > hiding.at:
            return
        self._hidings.note(subject, hiding)
        index = self._of_page if hiding.of_page else self._of_revision
        for edit in self._edits(index.get((hiding.wiki_id, hiding.number), ())):
            if hiding.text:
                self._close(edit.key)
            elif hiding.user and edit.user_kind is not UserKind.UNKNOWN:
                self._open[edit.key] = replace(edit, user_kind=UserKind.UNKNOWN)
                self.version += 1

    def _is_hidden(self, edit: OpenEdit) -> bool:
        of_page = self._hidings.get((edit.key.wiki_id, True, edit.page_id))
        of_revision = self._hidings.get((edit.key.wiki_id, False, edit.key.rev_id))
        return any(hiding is not None and hiding.text for hiding in (of_page, of_revision))

    def _user_kind(self, event: Mapping[str, Any], prediction: PredictionRecord) -> UserKind:
        hiding = self._hidings.get((prediction.wiki_id, False, prediction.rev_id))
        editor = None if hiding is not None and hiding.user else author_of(event)
        if editor is None:
            return UserKind.UNKNOWN
        name, user_id, is_temp = (editor.get(name) for name in ("user_text", "user_id", "is_temp"))
        return user_kind(
            name if isinstance(name, str) else None,
            user_id if isinstance(user_id, int) else None,
            is_temp=is_temp if isinstance(is_temp, bool) else None,
        )

    def _revert_of(self, edit: OpenEdit) -> Revert | None:
        known = self._reverts.get((edit.key.wiki_id, edit.page_id)) or ()
        return next((each for each in known if each.oldest_id <= edit.key.rev_id <= each.newest_id), None)

    def _add(self, edit: OpenEdit) -> None:
        self._close(edit.key)
        self._open[edit.key] = edit
        self._of_page.setdefault((edit.key.wiki_id, edit.page_id), set()).add(edit.key)
        self._of_revision.setdefault(edit.key[:2], set()).add(edit.key)
        self.version += 1
        if len(self._open) > MAX_OPEN:
            self._close(next(iter(self._open)))

    def _leave(self, edit: OpenEdit, revert: Revert) -> None:
        """Count an edit as reverted, once."""
        self._close(edit.key)
        if edit.key not in self._counted:
            self._counted.note(edit.key, None)
            self._left.append((self.watermark or edit.received_at, edit.key, revert.by_bot))
            self.version += 1

    def _close(self, key: EditKey) -> None:
        edit = self._open.pop(key, None)
        if edit is None:
            return
        self.version += 1
        for index, place in ((self._of_page, (key.wiki_id, edit.page_id)), (self._of_revision, key[:2])):
            index[place].discard(key)
            if not index[place]:
                del index[place]

    def _edits(self, keys: Iterable[EditKey]) -> list[OpenEdit]:
        return [self._open[key] for key in keys]
