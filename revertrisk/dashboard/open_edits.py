"""Which edits somebody should look at now: above their threshold, and neither reverted nor hidden yet.

Three streams are read: predictions, page_change and revision-visibility-change. Their events can come in any order and
more than once. Of each revision and model the greatest event counts, as ``docs/STREAM.md`` says. Memory is bounded: the
oldest entries are forgotten first.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from revertrisk.consumer import Drop, Hiding, PredictionReader, PredictionRecord, read_hiding
from revertrisk.dashboard.event_fields import Revert, author_kind, read_revert, title_of, with_spaces
from revertrisk.dashboard.open_edit import EditKey, Gone, OpenEdit, Order, Reverts, View
from revertrisk.dashboard.past_events import BoundedMap, PastEvents
from revertrisk.event_platform.streams import BACKFILL_SUFFIX, SHADOW_SUFFIX, is_canary, received_at
from revertrisk.wiki.table import WikiTable
from revertrisk.wiki.user_kinds import UserKind

MAX_OPEN: Final = 20_000
MAX_REMEMBERED: Final = 50_000
"""Of each: predictions, hidings, pages with reverts. As many as an hour of edits on all Wikimedia wikis."""
MAX_MODELS: Final = 20
MAX_CLOCK_SKEW: Final = timedelta(minutes=5)
"""An event with a time further in the future does not advance the watermark."""


class OpenEdits:
    """The edits to look at, after the events that were taken.

    ``threshold`` returns the threshold for a model name, model version and wiki_id. ``hours`` are counted back from the
    newest event, so no edit expires while the streams are silent.
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
        """For how long an edit is shown."""
        self._now = now
        self._open: OrderedDict[EditKey, OpenEdit] = OrderedDict()
        self._of_page: dict[tuple[str, int], set[EditKey]] = {}
        self._of_revision: dict[tuple[str, int], set[EditKey]] = {}
        self._ranks: BoundedMap[EditKey, tuple[Any, ...]] = BoundedMap(MAX_REMEMBERED)
        self._past = PastEvents(MAX_REMEMBERED)
        self._reverted: deque[tuple[datetime, EditKey, bool]] = deque(maxlen=MAX_REMEMBERED)
        """Reverted edits: the watermark at that time, the edit, and whether a bot reverted it."""
        self._counted: BoundedMap[EditKey, None] = BoundedMap(MAX_REMEMBERED)
        self._gone: BoundedMap[EditKey, Gone] = BoundedMap(MAX_REMEMBERED)
        self._seen: dict[str, set[str]] = {}
        """By model: the wikis with predictions."""
        self.versions: dict[str, str] = {}
        """The version in the latest prediction of each model."""
        self.predictions: Counter[str] = Counter()
        """Live predictions received, by model."""
        self.duplicates: Counter[str] = Counter()
        """How many of them had been received before."""
        self.watermark: datetime | None = None
        """The greatest ``meta.dt`` of all events."""
        self.version = 0
        """Increases whenever something that is shown has changed."""

    def take(self, event: Any) -> None:
        """Take an event of any of the three streams; others are ignored."""
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

    def select(self, view: View) -> list[OpenEdit]:
        """Return the open edits of a view, in its order."""
        chosen = (
            edit for key, edit in self._open.items() if view.wiki in {None, key.wiki_id} and _fits(edit, view)
        )
        if view.order is Order.WORST:
            return sorted(chosen, key=lambda edit: (edit.risk, edit.made_at, edit.key), reverse=True)
        return sorted(chosen, key=lambda edit: (edit.made_at, edit.key), reverse=True)

    def why_gone(self, key: EditKey) -> Gone | None:
        """Return why an edit is not open, None if it is open or was never."""
        return None if key in self._open else self._gone.get(key)

    def reverts(self, wiki_id: str | None, model_name: str) -> Reverts:
        """Return how many edits of a wiki above the threshold were reverted in the last ``hours``."""
        by_bots = [
            by_bot
            for _, key, by_bot in self._reverted
            if key.model_name == model_name and wiki_id in {None, key.wiki_id}
        ]
        return Reverts(len(by_bots), sum(by_bots))

    def counts(self, view: View) -> dict[str, int]:
        """Return the number of open edits for each wiki of which predictions were received, in alphabetical order."""
        found = Counter(key.wiki_id for key, edit in self._open.items() if _fits(edit, view))
        return {wiki_id: found[wiki_id] for wiki_id in sorted(self._seen.get(view.model, ()))}

    @property
    def models(self) -> list[str]:
        """The models whose predictions were received."""
        return sorted(self.predictions)

    def forget_old(self) -> None:
        """Remove what is older than ``hours``."""
        if self.watermark is None:
            return
        first = self.watermark - timedelta(hours=self.hours)
        for key in [key for key, edit in self._open.items() if edit.received_at < first]:
            self._remove(key)
        while self._reverted and self._reverted[0][0] < first:
            self._reverted.popleft()
            self.version += 1

    def _note_time(self, event: Mapping[str, Any]) -> None:
        at = received_at(event)
        if at is None or (self.watermark is not None and at <= self.watermark):
            return
        if at <= self._now() + MAX_CLOCK_SKEW:
            self.watermark = at

    def _score(self, prediction: PredictionRecord, event: Mapping[str, Any]) -> None:
        if prediction.stream.endswith((BACKFILL_SUFFIX, SHADOW_SUFFIX)):
            return  # scores of past edits, or of a model under test
        if self._wikis.by_id(prediction.wiki_id) is None:
            return
        key = EditKey(prediction.wiki_id, prediction.rev_id, prediction.model_name)
        if not self._count(key, prediction.model_version):
            return
        known = self._ranks.get(key)
        if known is not None:
            self.duplicates[key.model_name] += known[-1] == prediction.event_id
            if known >= prediction.rank:
                return
        self._ranks.note(key, prediction.rank)
        if prediction.probability <= self._threshold(key.model_name, prediction.model_version, key.wiki_id):
            self._remove(key)
            return
        is_author_hidden = self._past.is_author_hidden(key.wiki_id, key.rev_id)
        edit = OpenEdit(
            key,
            prediction.page_id,
            prediction.model_version,
            prediction.probability,
            title_of(event),
            prediction.received_at,
            prediction.changed_at,
            prediction.received_at,
            UserKind.UNKNOWN if is_author_hidden else author_kind(event),
            is_revert=read_revert(event) is not None or self._past.is_revert(key.wiki_id, key.rev_id),
        )
        if self._past.is_text_hidden(key.wiki_id, edit.page_id, key.rev_id):
            self._remove(key)
            return
        revert = self._past.revert_of(key.wiki_id, edit.page_id, key.rev_id)
        if revert is None:
            self._add(edit)
        else:
            self._remove_reverted(edit, revert)

    def _count(self, key: EditKey, version: str) -> bool:
        """Count a prediction; return False if it is by one model too many."""
        if key.model_name not in self.predictions:
            if len(self.predictions) == MAX_MODELS:
                return False
            self.version += 1
        self.predictions[key.model_name] += 1
        self.versions[key.model_name] = version
        seen = self._seen.setdefault(key.model_name, set())
        if key.wiki_id not in seen:
            seen.add(key.wiki_id)
            self.version += 1
        return True

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
                and with_spaces(title) != edit.title
            ):
                self._open[key] = replace(edit, title=with_spaces(title), titled_at=at)
                self.version += 1
        revert = read_revert(event)
        if revert is not None:
            self._past.note_revert(wiki_id, page_id, revert)
            for edit in self._edits(self._of_revision.get((wiki_id, revert.rev_id), ())):
                if not edit.is_revert:
                    self._open[edit.key] = replace(edit, is_revert=True)
                    self.version += 1
            for edit in self._edits(self._of_page.get((wiki_id, page_id), ())):
                if revert.includes(edit.key.rev_id):
                    self._remove_reverted(edit, revert)

    def _hide(self, hiding: Hiding) -> None:
        if not self._past.note_hiding(hiding):
            return
        index = self._of_page if hiding.of_page else self._of_revision
        for edit in self._edits(index.get((hiding.wiki_id, hiding.number), ())):
            if hiding.text:
                self._remove(edit.key)
            elif hiding.user and edit.user_kind is not UserKind.UNKNOWN:
                self._open[edit.key] = replace(edit, user_kind=UserKind.UNKNOWN)
                self.version += 1

    def _add(self, edit: OpenEdit) -> None:
        self._remove(edit.key)
        self._open[edit.key] = edit
        self._of_page.setdefault((edit.key.wiki_id, edit.page_id), set()).add(edit.key)
        self._of_revision.setdefault(edit.key[:2], set()).add(edit.key)
        self.version += 1
        if len(self._open) > MAX_OPEN:
            self._remove(next(iter(self._open)))

    def _remove_reverted(self, edit: OpenEdit, revert: Revert) -> None:
        """Remove an edit and count it as reverted; the same edit is counted only once."""
        self._remove(edit.key, Gone.REVERTED)
        if edit.key not in self._counted:
            self._counted.note(edit.key, None)
            self._reverted.append((self.watermark or edit.received_at, edit.key, revert.by_bot))
            self.version += 1

    def _remove(self, key: EditKey, why: Gone = Gone.REMOVED) -> None:
        edit = self._open.pop(key, None)
        if edit is None:
            return
        self._gone.note(key, why)
        self.version += 1
        for index, place in ((self._of_page, (key.wiki_id, edit.page_id)), (self._of_revision, key[:2])):
            index[place].discard(key)
            if not index[place]:
                del index[place]

    def _edits(self, keys: Iterable[EditKey]) -> list[OpenEdit]:
        return [self._open[key] for key in keys]


def _fits(edit: OpenEdit, view: View) -> bool:
    return edit.key.model_name == view.model and view.user in {None, edit.user_kind}
