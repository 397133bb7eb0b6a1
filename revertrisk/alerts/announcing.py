"""The open incidents: what is told of them, and of their busiest pages."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from revertrisk.alerts.bank import Name
from revertrisk.alerts.events import Event, Kind
from revertrisk.alerts.incidents import TOP_PAGES, Incident, MessageKind, message
from revertrisk.alerts.pages import Key, PageLinks, PageTally, Tally, add_up
from revertrisk.alerts.store import Store

_KEPT_PAGES: Final = 50
"""Of an open incident, across a restart."""


class Announcer:
    """Puts messages into the outbox: one start and one end of each incident that is open when the watch is live."""

    def __init__(self, store: Store, ways: Sequence[str], live_since: int) -> None:
        """Take up the open incidents of the store.

        What is over before the minute ``live_since`` was found in a replay, and is not told.
        """
        self.incidents: dict[Name, Incident] = {}
        self.pages = PageTally()
        self._store = store
        self._ways = ways
        self._live_since = live_since
        self._links = PageLinks()
        self._tallies: dict[Name, dict[str, Tally]] = {}
        self._created: list[tuple[str, int, int]] = []
        for document in store.incidents(open_only=True):
            incident = Incident(**document)
            self.incidents[incident.scope, incident.series] = incident

    def note_page(self, event: Event, minute: int) -> None:
        """Take note that a page is new, or gone."""
        if event.is_creation:
            self._created.append((event.wiki_id, event.page_id, minute))
        elif event.kind is Kind.DELETE:
            self.pages.forget_title(event.wiki_id, event.page_id)
            for tallies in self._tallies.values():
                if event.page_id in tallies.get(event.wiki_id, {}):
                    tallies[event.wiki_id][event.page_id][1] = ""
            self._forget_title_in_messages(event.wiki_id, event.page_id)

    def open(self, incident: Incident, pages: Iterable[Key] = ()) -> None:
        """Open an incident, unless one of its scope and series is open; ``pages`` are the series of its pages."""
        name = (incident.scope, incident.series)
        if name in self.incidents:
            return
        self.incidents[name] = incident
        self.add_pages(name, pages, incident.since, incident.found)
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
        self._store.note_incident(incident.as_state())

    def announce(self, minute: int) -> None:
        """Tell of what is open and has not been told, if the watch is live in that minute."""
        if minute < self._live_since:
            return
        for name, incident in self.incidents.items():
            if not incident.announced:
                incident.announced = True
                incident.pages = self._top_pages(name)
                self._put_out(message(incident, MessageKind.START, incident.pages))
                self._store.note_incident(incident.as_state())

    def notice(self, incident: Incident) -> None:
        """Tell something once that has no end."""
        if incident.found >= self._live_since:
            self._put_out(message(incident, MessageKind.NOTICE))

    def add_pages(self, name: Name, pages: Iterable[Key], first: int, last: int) -> None:
        """Add the pages of some minutes, both included, to an open incident's."""
        tallies = self._tallies.setdefault(name, {})
        for wiki, tally in self.pages.of(pages, first, last).items():
            if tally:
                add_up(tallies.setdefault(wiki, {}), tally)

    def save(self) -> None:
        """Put what is new into the store."""
        self._store.note_created(self._created)
        self._created.clear()

    def as_state(self) -> dict[str, Any]:
        """Return what is kept across a restart, beside the incidents."""
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
        """Take up a kept state."""
        self._live_since = state["live_since"]
        for scope, series, wiki, page_id, number, title in state["tallies"]:
            self._tallies.setdefault((scope, series), {}).setdefault(wiki, {})[page_id] = [number, title]

    def _put_out(self, document: dict[str, Any]) -> None:
        for way in self._ways:
            self._store.put_out(way, f"{document['incident_id']}:{document['kind']}", document)

    def _forget_title_in_messages(self, wiki_id: str, page_id: int) -> None:
        """Link a page by its id in the messages that are still to be sent."""
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
