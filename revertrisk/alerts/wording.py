"""Writes a message as text, for Slack and for standard output."""

from collections.abc import Mapping
from typing import Any, Final

from revertrisk.alerts.incidents import MessageKind, Series

_WHAT: Final = {
    Series.EDITS: "edits",
    Series.HIGH_RISK: "high-risk edits",
    Series.SHARE: "share of high-risk edits",
}
_ADVICE: Final = {
    Series.EDITS: "If the share of high-risk edits is as usual, the cause is probably news, an event or a bot.",
    Series.HIGH_RISK: "Check the pages below. "
    "If the number of all edits grew as much, the share of high-risk edits is as usual.",
    Series.SHARE: "Check the pages below. The cause is an attack or a fault of the model.",
}


def in_words(document: Mapping[str, Any]) -> str:
    """Return a message as plain text of a few lines, without user names."""
    series, kind, wiki = document["series"], document["kind"], document["wiki_id"]
    lines = []
    if kind == MessageKind.NOTICE:
        lines.append(f"{wiki}: {document['cause']}.")
    elif series in _WHAT:
        lines += _surge(document, _WHAT[Series(series)])
    else:
        lines += _silence(document)
    if kind == MessageKind.START and series in _ADVICE:
        lines.append(_ADVICE[Series(series)])
    what = "edit" if series == Series.EDITS else "high-risk edit"
    lines += [_page(page, what) for page in document.get("pages", ())]
    if document["provisional"]:
        until = f" until {_day(document['known_by'])}" if "known_by" in document else ""
        lines.append(
            f"Provisional{until}: with less than four weeks of history the thresholds are assumed values."
        )
    lines.append(f"Incident {document['incident_id']}")
    text = "\n".join(lines)
    return f"THIS IS A TEST.\n{text}" if document.get("test") else text


def _surge(document: Mapping[str, Any], what: str) -> list[str]:
    wiki = document["wiki_id"]
    if document["kind"] == MessageKind.START:
        numbers = f"{document['observed']:,} instead of the usual {document['expected']:,.0f}"
        return [
            f"{wiki}: {document['ratio']:,g} times the usual {what} since {_time(document['since'])} ({numbers})."
        ]
    cause = f" ({document['cause']})" if "cause" in document else ""
    times = f"from {_time(document['since'])} to {_time(document['ended'])}"
    numbers = (
        f"{document['observed']:,} instead of the usual {document['expected']:,.0f} ({document['excess']:+,})"
    )
    return [
        f"{wiki}: the surge of {what} has ended{cause}.",
        f"It lasted {_long(document['minutes'])}, {times}.",
        f"There were {numbers}, at most {document['peak_ratio']:,g} times the usual.",
    ]


def _silence(document: Mapping[str, Any]) -> list[str]:
    wiki, series = document["wiki_id"], document["series"]
    what = {Series.SILENCE: "edits", Series.PREDICTIONS: "predictions"}.get(series, "events")
    if document["kind"] == MessageKind.START:
        return [f"{wiki}: no {what} since {_time(document['since'])} ({document.get('cause', '')})."]
    return [
        f"{wiki}: no {what} from {_time(document['since'])} to {_time(document['ended'])}; they arrive again."
    ]


def counted(number: int, what: str, several: str | None = None) -> str:
    """Return a number and what it counts, as in "1 edit" and "2,310 edits"; ``several`` is the plural."""
    return f"{number:,} {what if number == 1 else several or f'{what}s'}"


def _page(page: Mapping[str, Any], what: str) -> str:
    name = page.get("title", f"page {page['page_id']}").replace("_", " ")
    place = f" {page['url']}" if "url" in page else ""
    return f"• {counted(page['count'], what)}: {name}{place}"


def _time(instant: str) -> str:
    return f"{instant[:10]} {instant[11:16]} UTC"


def _day(instant: str) -> str:
    return instant[:10]


def _long(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
