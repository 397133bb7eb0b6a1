"""Holds a sample of revisions against what their wikis say of them now."""

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

AT_ONCE: Final = 50
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
    """What the lake says of a revision; None is not known."""

    wiki_id: str
    rev_id: int
    page_id: int
    parent_id: int | None
    dt: datetime
    rev_size: int | None
    is_minor: bool | None
    tells_author: bool


async def check_with_wikis(lake: Lake, *, number: int, wiki_url: str | None) -> list[str]:
    """Return what a sample of so many revisions has otherwise than the wikis; deleted pages are left out.

    ``wiki_url`` is a MediaWiki that gets every wiki's requests, with its host in the ``Host`` header.

    Raises:
        LakeError: a wiki did not answer, or not with revisions.

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
                found.append(f"{wiki_id}: no such wiki is known")
                continue
            for begin in range(0, len(sample), AT_ONCE):
                part = sample[begin : begin + AT_ONCE]
                told = await _ask(session, wiki, part, wiki_url)
                found += [line for known in part for line in _differences(known, told.get(known.rev_id))]
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
            f"{wiki.wiki_id}: the MediaWiki API could not be asked ({type(exc).__name__})"
        ) from exc
    try:
        document: dict[str, Any] = orjson.loads(body)
        return read_revisions([document["query"]])
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as exc:
        raise LakeError(f"{wiki.wiki_id}: the MediaWiki API did not answer with revisions") from exc


def _differences(known: _Known, told: RevisionFacts | MissingRevision | None) -> Iterator[str]:
    name = f"{known.wiki_id} {known.rev_id}"
    if not isinstance(told, RevisionFacts):
        yield f"{name}: the wiki does not have it"
        return
    facts = {
        "page_id": (known.page_id, told.page_id),
        "parent_id": (known.parent_id, told.parent_id),
        "dt": (known.dt, told.saved_at),
        "rev_size": (known.rev_size, None if told.hidden_text else told.size),
        "is_minor": (known.is_minor, told.is_minor),
    }
    for column, (here, there) in facts.items():
        if here is not None and there is not None and here != there:
            yield f"{name}: {column} is {here}, and {there} for the wiki"
    if told.hidden_user and known.tells_author:
        yield f"{name}: the author is hidden, and told here"
