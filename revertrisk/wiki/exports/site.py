"""Finds the wiki of an export: one in the wiki table, or one that the user names."""

import re
from pathlib import Path
from typing import Final

from revertrisk.wiki.exports.reader import ExportedSite, ExportError, ExportReader
from revertrisk.wiki.table import HOST, Wiki, WikiTable

_WIKI_ID: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")


def wikis_of_export(export: Path, wikis: WikiTable, wiki_id: str | None = None) -> tuple[Wiki, WikiTable]:
    """Return the wiki of an export, and the table including it.

    The export's ``<dbname>`` or ``<base>`` names it. If that is not in the table, its id is ``wiki_id``.

    Raises:
        ExportError: the file is not an export, or its wiki is not in the table and ``wiki_id`` is None, or its wiki is
            another than ``wiki_id``.

    """
    if wiki_id is not None and not _WIKI_ID.fullmatch(wiki_id):
        raise ExportError(
            "--wiki-id: expected a name such as enwiki: lower-case letters, digits, _ and -, a letter first"
        )
    site = exported_site(export)
    wiki = wikis.by_id(site.dbname) if site.dbname else None
    if wiki is None and site.domain:
        wiki = wikis.by_domain(site.domain)
    if wiki is not None:
        if wiki_id not in {None, wiki.wiki_id}:
            raise ExportError(f"{export}: is of {wiki.wiki_id}, and --wiki-id says {wiki_id}")
        return wiki, wikis
    if wiki_id is None:
        raise ExportError(
            f"{export}: <dbname> and <base> are not in the wiki table; give the wiki a name with --wiki-id"
        )
    wiki = wikis.by_id(wiki_id)
    if wiki is None:
        wiki = Wiki(
            wiki_id=wiki_id,
            domain=site.domain
            if site.domain and HOST.fullmatch(site.domain)
            else f"{wiki_id.replace('_', '-')}.invalid",
            language=site.language or "en",
            family="unknown",
            is_open=True,
            is_public=True,
        )
        wikis = WikiTable([*wikis, wiki])
    return wiki, wikis


def exported_site(path: Path) -> ExportedSite:
    """Return the wiki that an export names; only its beginning is read.

    Raises:
        ExportError: the file is not an export.

    """
    reader = ExportReader(path)
    for item in reader:
        if isinstance(item, ExportedSite):
            return item
    raise reader.error("there is no <siteinfo>: not a MediaWiki export")
