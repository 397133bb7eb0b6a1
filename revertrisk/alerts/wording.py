"""Says a message in words, for Slack and for people who read the log."""

from collections.abc import Mapping
from typing import Any, Final

from revertrisk.alerts.incidents import MessageKind, Series

_WHAT: Final = {
    Series.EDITS: "edits",
    Series.HIGH_RISK: "high-risk edits",
    Series.SHARE: "share of high-risk edits",
}
_ADVICE: Final = {
    Series.EDITS: "If the share of high-risk edits is as usual, this is news, an event or a bot.",
    Series.HIGH_RISK: "Look at the pages below. If all edits rise alike, it is the amount of edits that has changed.",
    Series.SHARE: "More of the edits are high-risk than usual: an attack, or a fault of the model.",
}


def in_words(document: Mapping[str, Any]) -> str:
    """Return a message as plain text of a few lines; it has no user names."""
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
    lines += [_page(page) for page in document.get("pages", ())]
    if document["provisional"]:
        until = f" until {_day(document['known_by'])}" if "known_by" in document else ""
        lines.append(f"Provisional{until}: the usual is not known well yet, and thresholds are cautious.")
    lines.append(f"Incident {document['incident_id']}")
    text = "\n".join(lines)
    return f"THIS IS A TEST.\n{text}" if document.get("test") else text


def _surge(document: Mapping[str, Any], what: str) -> list[str]:
    wiki = document["wiki_id"]
    if document["kind"] == MessageKind.START:
        times = f"{document['ratio']:g} times the usual since {_time(document['since'])}"
        return [f"{wiki}: {what} {times} ({document['observed']:,} instead of {document['expected']:,.0f})."]
    cause = f" ({document['cause']})" if "cause" in document else ""
    lasted = (
        f"{_long(document['minutes'])}, from {_time(document['since'])} to {_time(document['ended'])}: "
        f"{document['excess']:+,} beyond the usual {document['expected']:,.0f}"
    )
    peak = f"at its peak {document['peak_ratio']:g} times the usual"
    return [f"{wiki}: the surge of {what} is over{cause}. It lasted {lasted}, {peak}."]


def _silence(document: Mapping[str, Any]) -> list[str]:
    wiki, series = document["wiki_id"], document["series"]
    what = {Series.SILENCE: "no edits", Series.PREDICTIONS: "no predictions"}.get(series, "no events")
    if document["kind"] == MessageKind.START:
        return [f"{wiki}: {what} since {_time(document['since'])}; {document.get('cause', '')}."]
    return [f"{wiki}: {what} from {_time(document['since'])} to {_time(document['ended'])}; they come again."]


def _page(page: Mapping[str, Any]) -> str:
    name = page.get("title", f"page {page['page_id']}").replace("_", " ")
    place = f" {page['url']}" if "url" in page else ""
    return f"• {page['count']}: {name}{place}"


def _time(instant: str) -> str:
    return f"{instant[:10]} {instant[11:16]} UTC"


def _day(instant: str) -> str:
    return instant[:10]


def _long(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
