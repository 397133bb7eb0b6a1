"""Compares a sample of revisions with what the APIs of their wikis answer now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import orjson

from revertrisk.lake.engine import new_engine, reports_damage, table_relation
from revertrisk.lake.errors import LakeError
from revertrisk.lake.schema import PAGE_EVENT, REVISION
from revertrisk.lake.tables import Lake
from revertrisk.runtime.headers import user_agent
from revertrisk.wiki.revision_facts import MissingRevision, RevisionFacts, read_revisions
from revertrisk.wiki.table import Wiki, WikiTable

MAX_REVISIONS: Final = 50
"""Revisions in one request: the Action API's limit."""
TIMEOUT_S: Final = 60.0
_PATH: Final = "/w/api.php"
_QUERY: Final = {
    "action": "query",
    "format": "json",
    "formatversion": "2",
    "maxlag": "5",
    "prop": "revisions|info",
    "rvprop": "ids|timestamp|flags|user|userid|comment|sha1|size|contentmodel|tags",
}
_SAMPLE: Final = """
SELECT wiki_id, rev_id, page_id, parent_id, dt, rev_size, is_minor, actor_key IS NOT NULL
FROM revision
ANTI JOIN (SELECT wiki_id, page_id FROM page_event WHERE kind = 'delete') USING (wiki_id, page_id)
WHERE kind IS NOT NULL
USING SAMPLE {number} ROWS
"""


@dataclass(frozen=True, slots=True)
class _Known:
    """The lake's facts about a revision; None means unknown."""

    wiki_id: str
    rev_id: int
    page_id: int
    parent_id: int | None
    dt: datetime
    rev_size: int | None
    is_minor: bool | None
    has_author: bool


async def check_with_wikis(lake: Lake, *, number: int, wiki_url: str | None) -> list[str]:
    """Return one line for each difference between a sample of ``number`` revisions and their wikis.

    Revisions of deleted pages are not in the sample. ``wiki_url`` is a MediaWiki that gets the requests for every wiki,
    with the wiki's host in the ``Host`` header.

    Raises:
        LakeError: a wiki did not answer, or its answer has no revisions.

    """
    wikis = WikiTable.load()
    by_wiki: dict[str, list[_Known]] = {}
    for known in _sample(lake, number):
        by_wiki.setdefault(known.wiki_id, []).append(known)
    found: list[str] = []
    headers = {"User-Agent": user_agent("revertrisk-lake")}
    async with aiohttp.ClientSession(headers=headers, cookie_jar=aiohttp.DummyCookieJar()) as session:
        for wiki_id, sample in sorted(by_wiki.items()):
            wiki = wikis.by_id(wiki_id)
            if wiki is None:
                found.append(f"{wiki_id}: the wiki is not in the table of wikis")
                continue
            for begin in range(0, len(sample), MAX_REVISIONS):
                part = sample[begin : begin + MAX_REVISIONS]
                answers = await _ask(session, wiki, part, wiki_url)
                found += [line for known in part for line in _differences(known, answers.get(known.rev_id))]
    return found


@reports_damage
def _sample(lake: Lake, number: int) -> list[_Known]:
    engine = new_engine()
    try:
        for table in (REVISION, PAGE_EVENT):
            table_relation(engine, lake, table).create_view(table.name)
        return [_Known(*row) for row in engine.execute(_SAMPLE.format(number=number)).fetchall()]
    finally:
        engine.close()


async def _ask(
    session: aiohttp.ClientSession, wiki: Wiki, sample: Sequence[_Known], wiki_url: str | None
) -> Mapping[int, RevisionFacts | MissingRevision]:
    address = (wiki_url.rstrip("/") if wiki_url else f"https://{wiki.domain}") + _PATH
    form = _QUERY | {"revids": "|".join(str(known.rev_id) for known in sample)}
    try:
        async with session.post(
            address,
            data=form,
            headers={"Host": wiki.domain} if wiki_url else {},
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            allow_redirects=False,
        ) as answer:
            body = await answer.read()
            if answer.status != HTTPStatus.OK:
                raise LakeError(f"{wiki.wiki_id}: the MediaWiki API answered with status {answer.status}")
    except (aiohttp.ClientError, TimeoutError) as exc:
        raise LakeError(
            f"{wiki.wiki_id}: the request to the MediaWiki API failed ({type(exc).__name__})"
        ) from exc
    try:
        document: dict[str, Any] = orjson.loads(body)
        return read_revisions([document["query"]])
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as exc:
        raise LakeError(f"{wiki.wiki_id}: the answer of the MediaWiki API has no revisions") from exc


def _differences(known: _Known, found: RevisionFacts | MissingRevision | None) -> Iterator[str]:
    name = f"{known.wiki_id} {known.rev_id}"
    if not isinstance(found, RevisionFacts):
        yield f"{name}: the wiki does not have it"
        return
    facts = {
        "page_id": (known.page_id, found.page_id),
        "parent_id": (known.parent_id, found.parent_id),
        "dt": (known.dt, found.saved_at),
        "rev_size": (known.rev_size, None if found.hidden_text else found.size),
        "is_minor": (known.is_minor, found.is_minor),
    }
    for column, (in_lake, on_wiki) in facts.items():
        if in_lake is not None and on_wiki is not None and in_lake != on_wiki:
            yield f"{name}: {column} is {in_lake} in the lake and {on_wiki} on the wiki"
    if found.hidden_user and known.has_author:
        yield f"{name}: the author is hidden on the wiki and known in the lake"
