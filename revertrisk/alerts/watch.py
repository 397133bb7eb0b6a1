"""A watch: it takes events and puts messages into the outbox.

It has no sockets and reads no clock, so a replay finds the same incidents as a live run. The counts of a minute are
held while it is open. When it is closed they go into the history and into the bins. Complete bins go through the
detectors, and each start or end becomes an incident and a message. The state is in the store, committed together with
the sources' places.
"""

from collections.abc import Mapping
from typing import Any, Final

from revertrisk.alerts.announcing import Announcer
from revertrisk.alerts.bank import Banks, Name
from revertrisk.alerts.bins import StreamClock
from revertrisk.alerts.counting import ANY_WIKI, CANARIES, Counting, Counts, versions_in, wikis_in
from revertrisk.alerts.events import Event, Kind
from revertrisk.alerts.fit_schedule import FitSchedule
from revertrisk.alerts.fitting import FITTED_DAYS
from revertrisk.alerts.history import EDITS, EVERY_SCOPE, HIGH_RISK, PREDICTIONS, RISK_SCOPE
from revertrisk.alerts.incidents import ALL_WIKIS, Incident, Series, new_incident
from revertrisk.alerts.intake import Counters, Intake
from revertrisk.alerts.level import MINUTES_PER_DAY
from revertrisk.alerts.settings import WatchSettings
from revertrisk.alerts.silence import SilenceDetector
from revertrisk.alerts.store import Store
from revertrisk.alerts.surges import SurgeFinder
from revertrisk.alerts.threshold import LEAST_BUDGET_DAYS
from revertrisk.alerts.versions import Versions

_STREAM: Final = (ALL_WIKIS, Series.STREAM)
_OUTAGES: Final = (Series.SILENCE, Series.PREDICTIONS)
"""While one of these incidents is open, the minutes of its scope count as not observed."""


class Watch:
    """The state of a watch over a store."""

    def __init__(self, settings: WatchSettings, store: Store, *, live_since: int, now: float) -> None:
        """Restore the state in the store, if there is one.

        ``live_since`` is a minute of Unix time, used for a new store: no message is sent about an incident that ends
        before it. ``now`` is monotonic, in seconds.
        """
        self.settings = settings
        self._store = store
        self._intake = Intake()
        self._counting = Counting(settings)
        self._announcer = Announcer(store, settings.receivers, live_since)
        self._silence = SilenceDetector()
        self._fits = FitSchedule(store, self._days_of_each, self._announcer.end)
        self._surges = SurgeFinder(store, self._fits, self._announcer)
        self._versions = Versions()
        kept = store.fact("watch")
        if kept is not None:
            self._restore(kept, now)
            minute = int(self._intake.clock.greatest or 0) // 60
            self._note_other_wikis(kept, minute)
            if kept["scoring"] != settings.scoring() and self._fits.risk_begun is not None:
                self._restart_risk(minute)
        self.banks.rebuild(self._fits.budget_days)

    @property
    def clock(self) -> StreamClock:
        """The time of the streams."""
        return self._intake.clock

    @property
    def counters(self) -> Counters:
        """The numbers of events."""
        return self._intake.counters

    @property
    def banks(self) -> Banks:
        """The watched series."""
        return self._fits.banks

    @property
    def sizes(self) -> tuple[int, int]:
        """The number of watched series, and of the scopes that are watched for silence."""
        return len(self.banks), self._fits.silences

    @property
    def not_sent(self) -> int:
        """The number of incidents of this run that were before the first start, so that no message was sent."""
        return self._announcer.not_sent

    @property
    def open_incidents(self) -> Mapping[Name, Incident]:
        """The open incidents, by scope and series."""
        return self._announcer.incidents

    def take(self, event: Event | None, partition: str, now: float, wall: float | None = None) -> None:
        """Process an event of a partition, whose events are in order up to a few seconds.

        ``now`` is monotonic, in seconds; ``wall`` is this machine's Unix time, None in a replay.
        """
        accepted = self._intake.take(event, partition, now, wall)
        for each in accepted.in_time:
            self._count(each)
        for each in accepted.late:
            self._count_late(each)
        if _STREAM in self.open_incidents:
            for each in (*accepted.in_time, *accepted.late):
                self._announcer.end(_STREAM, int(each.at) // 60)
        self.close_minutes(now)

    def close_minutes(self, now: float) -> None:
        """Close the minutes of which no more events are expected."""
        for minute in self._intake.clock.closing(now):
            self._close(minute)

    def note_nothing(self, minutes: int) -> None:
        """Open an incident: no event has come for a number of minutes, by this machine's clock.

        Nothing happens if it is open already, or if there has been no event at all.
        """
        greatest = self._intake.clock.greatest
        if greatest is None or _STREAM in self.open_incidents:
            return
        since = int(greatest) // 60
        cause = (
            "no events arrive, not even canary events: the stream or the connection to it is probably down"
        )
        self._announcer.open(new_incident(_STREAM, since, since + minutes, cause))

    def describe(self) -> str:
        """Return a text for the log: what is watched, when alarms begin, and the budget of each series."""
        return self._fits.describe(self.clock.closed or 0)

    def save(self) -> None:
        """Write the state into the store, for its next commit."""
        for bank in self._fits.banks:
            bank.save()
            self._store.note_states((each.scope, each.series, each.state) for each in bank.members)
        self._announcer.save()
        self._store.note_fact("watch", self._as_state())

    def _days_of_each(self, series: int) -> float:
        """Return the days per false start of each series: the global budget times the number of series.

        A watch for silence counts as a series.
        """
        return max(LEAST_BUDGET_DAYS, self.settings.budget_days * max(1, series + self._fits.silences))

    def _note_other_wikis(self, kept: Mapping[str, Any], minute: int) -> None:
        """Begin the history of added wikis; end the incidents of removed wikis, and remove their series."""
        wikis = self.settings.wikis
        if kept["wikis"] is not None:
            self._fits.note_added(frozenset(kept["wikis"]), wikis, minute + 1)
        if wikis is None:
            return
        watched = {*wikis, ALL_WIKIS}
        for name in [name for name in self.open_incidents if name[0] not in watched]:
            self._announcer.end(name, minute, cause="the wiki is no longer watched")
        self._fits.keep_only(watched)
        self._silence.forget(watched)

    def _restart_risk(self, minute: int) -> None:
        """Delete the counts by another threshold or of another model, and send a notice."""
        self._versions = Versions()
        self._counting.forget_risk()
        self._forget_risk(minute, "the threshold or the model was changed")
        self._fits.risk_begun = None

    def _forget_risk(self, minute: int, why: str) -> None:
        """Remove the risk series with their history, and send a notice; they are fitted again after a day."""

        def end(name: Name) -> None:
            self._announcer.end(name, minute + 1, cause=why)

        for series in (Series.HIGH_RISK, Series.SHARE):
            self._fits.forget(series, end)
        for quantity in (PREDICTIONS, HIGH_RISK):
            self._store.history.forget(quantity)
        cause = f"{why}: the high_risk and share series need a new baseline, and have no alarms for a day"
        notice = new_incident((ALL_WIKIS, Series.VERSION), minute, minute + 1, cause)
        notice.is_provisional, notice.known_by = True, minute + 1 + FITTED_DAYS * MINUTES_PER_DAY
        self._announcer.notice(notice)

    # Counting.

    def _count(self, event: Event) -> None:
        minute = int(event.at) // 60
        for key in self._counting.quantities(event):
            self._counting.add(key, minute)
            wiki, quantity = key
            if wiki == event.wiki_id and quantity != PREDICTIONS:
                self._announcer.pages.add(minute, key, event.page_id, event.title)
        if self.settings.includes(event.wiki_id):
            self._announcer.note_page(event, minute)

    def _count_late(self, event: Event) -> None:
        if event.kind is Kind.DELETE and self.settings.includes(event.wiki_id):
            self._announcer.note_page(event, int(event.at) // 60)
        minute = int(event.at) // 60
        for wiki, quantity in self._counting.quantities(event):
            begun = self._fits.begun_of(wiki, quantity)
            if wiki == event.wiki_id and begun is not None and minute >= begun:
                self._store.history.add(wiki, quantity, minute, 1)

    # Closing a minute.

    def _close(self, minute: int) -> None:
        counts = self._counting.close(minute)
        if self._fits.begun is None and counts.get((ANY_WIKI, EDITS)):
            self._fits.begun = minute  # the predictions in a source can begin earlier than the edits
        for (wiki, quantity), number in wikis_in(counts):
            if self.settings.includes(wiki):
                self._store.history.add(wiki, quantity, minute, number)
                self._fits.note_wiki(wiki)
        self._note_versions(minute, counts)
        for name in self.open_incidents:
            self._announcer.add_pages(name, self._surges.pages_of(name), minute, minute)
        unobserved = self._note_silence(minute, counts)
        for length, complete in self._counting.complete_bins(minute, counts, unobserved):
            self._surges.step(minute, length, complete)
        self._announcer.announce(minute)
        self._announcer.pages.forget_before(minute)
        self._fits.fit_due_series(
            minute + 1,
            with_group=self.settings.wikis is None,
            with_risk=(ALL_WIKIS, Series.PREDICTIONS) not in self.open_incidents,
        )

    # Versions and silence.

    def _note_versions(self, minute: int, counts: Counts) -> None:
        versions = versions_in(counts)
        if versions and self._fits.risk_begun is None:
            self._fits.risk_begun = minute
        change = self._versions.note(versions)
        if change is None:
            return
        self._forget_risk(minute, f"the model version changed from {change.old} to {change.new}")
        self._fits.risk_begun = minute + 1

    def _note_silence(self, minute: int, counts: Counts) -> set[str]:
        """Find silences; return the scopes with an outage in this minute."""
        usual, alphas = self._fits.banks.usual_edits(minute)
        found = self._silence.note(
            minute,
            usual=usual,
            alphas=alphas,
            counts={scope: self._fits.count(counts, scope, Series.EDITS, EDITS) for scope in usual},
            edits=counts.get((ANY_WIKI, EDITS), 0),
            predictions=counts.get((ANY_WIKI, PREDICTIONS), 0),
            canaries=counts.get((ANY_WIKI, CANARIES), 0),
            budget_days=self._fits.budget_days,
        )
        for begun in found.started:
            self._announcer.open(
                new_incident((begun.scope, begun.series), begun.since, minute + 1, begun.cause)
            )
        for over in found.ended:
            self._announcer.end((over.scope, over.series), minute)
            self._store.history.note_outage(
                _scope_without_counts(over.scope, over.series), over.since, minute - 1
            )
        unobserved = {_scope_without_counts(*name) for name in self.open_incidents if name[1] in _OUTAGES}
        if self._versions.is_mixed:
            self._store.history.note_outage(RISK_SCOPE, minute, minute)
            unobserved.add(RISK_SCOPE)
        return unobserved

    # The state.

    def _as_state(self) -> dict[str, Any]:
        return {
            "wikis": None if self.settings.wikis is None else sorted(self.settings.wikis),
            "scoring": self.settings.scoring(),
            "intake": self._intake.as_state(),
            "announcer": self._announcer.as_state(),
            "fits": self._fits.as_state(),
            "silence": self._silence.as_state(),
            "versions": self._versions.as_state(),
            **self._counting.as_state(),
        }

    def _restore(self, kept: Mapping[str, Any], now: float) -> None:
        self._intake.restore(kept["intake"], now)
        self._announcer.restore(kept["announcer"])
        self._fits.restore(kept["fits"])
        self._silence.restore(kept["silence"])
        self._versions.restore(kept["versions"])
        self._counting.restore(kept)


def _scope_without_counts(scope: str, series: str) -> str:
    """Return the scope whose counts an outage makes invalid."""
    if series == Series.PREDICTIONS:
        return RISK_SCOPE
    return EVERY_SCOPE if scope == ALL_WIKIS else scope
