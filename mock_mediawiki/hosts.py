"""Which wiki a request means: the one at the host that it was sent to."""

from typing import Final

from aiohttp import web

from revertrisk.runtime.headers import header_text
from revertrisk.wiki.table import Wiki, WikiTable

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Hosts:
    """The wikis by their hosts. ``default_wiki_id`` answers on a loopback host."""

    def __init__(self, wikis: WikiTable, default_wiki_id: str) -> None:
        self._wikis = wikis
        self._default_wiki_id = default_wiki_id

    def wiki(self, host: str, named: str | None = None) -> Wiki | None:
        """Return the wiki at a host, or None; on a loopback host, the one ``named`` by its wiki_id if any is."""
        if host in _LOOPBACK:
            return self.named(named or self._default_wiki_id)
        return self._wikis.by_domain(host)

    def named(self, wiki_id: str) -> Wiki | None:
        """Return the wiki with an id, or None."""
        return self._wikis.by_id(wiki_id)


def asked_host(request: web.Request) -> str:
    """Return the host that was asked for, in small letters and without its port."""
    host = (header_text(request.headers, "Host") or "").lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
