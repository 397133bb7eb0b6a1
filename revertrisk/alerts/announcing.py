"""The open incidents: their messages, and their busiest pages."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from revertrisk.alerts.bank import Name
from revertrisk.alerts.events import Event, Kind
from revertrisk.alerts.incidents import TOP_PAGES, Incident, MessageKind, message
from revertrisk.alerts.pages import Key, PageLinks, PageTally, Tally, add_up
from revertrisk.alerts.store import Store

_KEPT_PAGES: Final = 50
"""The pages of an open incident that are kept across a restart."""


class Announcer:
    """Puts messages into the outbox: one start and one end of each incident that is open when the watch is live."""

    def __init__(self, store: Store, receivers: Sequence[str], live_since: int) -> None:
        """Restore the open incidents of the store.

        No message is sent about an incident that ended before the minute ``live_since``: a replay has found it.
        """
        self.incidents: dict[Name, Incident] = {}
        self.pages = PageTally()
        self._store = store
        self._receivers = receivers
        self._live_since = live_since
        self._links = PageLinks()
        self._tallies: dict[Name, dict[str, Tally]] = {}
        self._created: list[tuple[str, int, int]] = []
        self._ended_unsent = 0
        for document in store.incidents(open_only=True):
            incident = Incident(**document)
            self.incidents[incident.scope, incident.series] = incident

    @property
    def not_sent(self) -> int:
        """The number of incidents without a message: those that have ended since the restore, and the open ones."""
        return self._ended_unsent + sum(not each.announced for each in self.incidents.values())

    def note_page(self, event: Event, minute: int) -> None:
        """Note that a page was created or deleted."""
        if event.is_creation:
            self._created.append((event.wiki_id, event.page_id, minute))
        elif event.kind is Kind.DELETE:
            self.pages.forget_title(event.wiki_id, event.page_id)
            for tallies in self._tallies.values():
                if event.page_id in tallies.get(event.wiki_id, {}):
                    tallies[event.wiki_id][event.page_id][1] = ""
            self._forget_title_in_messages(event.wiki_id, event.page_id)

    def open(self, incident: Incident, pages: Iterable[Key] = ()) -> None:
        """Open an incident, unless one of its scope and series is open; ``pages`` are the keys of its pages."""
        name = (incident.scope, incident.series)
        if name in self.incidents:
            return
        self.incidents[name] = incident
        self.add_pages(
            name, pages, incident.since, incident.found - 1
        )  # later minutes are added when they close
        self._store.note_incident(incident.as_state())
        self.announce(incident.found)

    def end(self, name: Name, minute: int, cause: str = "") -> None:
        """End an incident, if it is open."""
        incident = self.incidents.pop(name, None)
        if incident is None:
            return
        incident.ended = max(minute, incident.since)
        incident.pages = self._top_pages(name)
        incident.cause = cause or incident.cause
        self._tallies.pop(name, None)
        if incident.announced:
            self._put_out(message(incident, MessageKind.END, incident.pages))
        else:
            self._ended_unsent += 1
        self._store.note_incident(incident.as_state())

    def announce(self, minute: int) -> None:
        """Send the start of each open incident that has not been announced, if the watch is live in that minute."""
        if minute < self._live_since:
            return
        for name, incident in self.incidents.items():
            if not incident.announced:
                incident.announced = True
                incident.pages = self._top_pages(name)
                self._put_out(message(incident, MessageKind.START, incident.pages))
                self._store.note_incident(incident.as_state())

    def notice(self, incident: Incident) -> None:
        """Send one message about an incident that has no end."""
        if incident.found >= self._live_since:
            self._put_out(message(incident, MessageKind.NOTICE))

    def add_pages(self, name: Name, pages: Iterable[Key], first: int, last: int) -> None:
        """Add the pages of some minutes, both included, to those of an open incident."""
        tallies = self._tallies.setdefault(name, {})
        for wiki, tally in self.pages.of(pages, first, last).items():
            if tally:
                add_up(tallies.setdefault(wiki, {}), tally)

    def save(self) -> None:
        """Store the pages that were created since the last call."""
        self._store.note_created(self._created)
        self._created.clear()

    def as_state(self) -> dict[str, Any]:
        """Return the state to keep across a restart, besides the incidents."""
        return {
            "live_since": self._live_since,
            "tallies": [
                [*name, wiki, page_id, *kept]
                for name, tallies in self._tallies.items()
                for wiki, tally in tallies.items()
                for page_id, kept in sorted(tally.items(), key=lambda item: -int(item[1][0]))[:_KEPT_PAGES]
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a kept state."""
        self._live_since = state["live_since"]
        for scope, series, wiki, page_id, number, title in state["tallies"]:
            self._tallies.setdefault((scope, series), {}).setdefault(wiki, {})[page_id] = [number, title]

    def _put_out(self, document: dict[str, Any]) -> None:
        for receiver in self._receivers:
            self._store.add_message(receiver, f"{document['incident_id']}:{document['kind']}", document)

    def _forget_title_in_messages(self, wiki_id: str, page_id: int) -> None:
        """Replace the title of a page by its id in the messages that have not been sent."""
        for waiting in self._store.unsent():
            pages = waiting.document.get("pages", [])
            if any((page["wiki_id"], page["page_id"]) == (wiki_id, page_id) for page in pages):
                waiting.document["pages"] = [
                    self._links.page(wiki_id, page_id, "", page["count"])
                    if (page["wiki_id"], page["page_id"]) == (wiki_id, page_id)
                    else page
                    for page in pages
                ]
                self._store.replace_message(waiting.number, waiting.document)

    def _top_pages(self, name: Name) -> list[dict[str, Any]]:
        pages = [
            (number, wiki, page_id, title)
            for wiki, tally in self._tallies.get(name, {}).items()
            for page_id, (number, title) in tally.items()
        ]
        pages.sort(key=lambda page: (-page[0], page[1], page[2]))
        just_created = {(wiki, page_id) for wiki, page_id, _ in self._created}
        shown = []
        for number, wiki, page_id, title in pages[:TOP_PAGES]:
            is_young = (wiki, page_id) in just_created or self._store.is_young(wiki, page_id)
            shown.append(self._links.page(wiki, page_id, "" if is_young else title, number))
        return shown
