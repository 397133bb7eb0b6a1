"""``meta=siteinfo``: what a wiki says of itself. https://www.mediawiki.org/wiki/API:Siteinfo."""

from datetime import UTC, datetime
from typing import Any, Final

from mock_mediawiki.namespaces import namespace_names, namespaces
from mock_mediawiki.pages.html_page import is_rtl
from mock_mediawiki.parameters import Parameters
from revertrisk.wiki.table import Wiki

_PROJECT: Final = 4
_LARGEST_PAGE: Final = 2_097_152


def site_info(wiki: Wiki, parameters: Parameters) -> dict[str, Any]:
    """Return what ``siprop`` asks for, by its name in an answer.

    :raises ApiError: if ``siprop`` has too many values.
    """
    props = parameters.known_values("siteinfo", "siprop", ("general", "namespaces"), "general")
    answer: dict[str, Any] = {}
    if "general" in props:
        answer["general"] = _general(wiki)
    if "namespaces" in props:
        answer["namespaces"] = namespaces(wiki)
    return answer


def _general(wiki: Wiki) -> dict[str, Any]:
    return {
        "sitename": namespace_names(wiki)[_PROJECT] if wiki.family == "wikipedia" else wiki.domain,
        "generator": "mock-mediawiki",
        "case": "first-letter",
        "lang": wiki.language,
        "rtl": is_rtl(wiki.language),
        "readonly": False,
        "timezone": "UTC",
        "timeoffset": 0,
        "articlepath": "/wiki/$1",
        "scriptpath": "/w",
        "script": "/w/index.php",
        "server": f"//{wiki.domain}",
        "servername": wiki.domain,
        "wikiid": wiki.wiki_id,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "maxarticlesize": _LARGEST_PAGE,
    }
