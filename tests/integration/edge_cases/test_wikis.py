"""A wiki is its wiki_id: hosts and languages come from one table and never from input."""

import orjson
import pytest

from tests.fakes.edited_wikis import Event, edit_of
from tests.fakes.stage import Stage

HOSTS = {
    "zh_yuewiki": "zh-yue.wikipedia.org",
    "be_x_oldwiki": "be-tarask.wikipedia.org",
    "nowiki": "no.wikipedia.org",
    "nds_nlwiki": "nds-nl.wikipedia.org",
    "simplewiki": "simple.wikipedia.org",
    "testwiki": "test.wikipedia.org",
}
NAMES = {
    "yue": "zh_yuewiki",
    "zh-yue": "zh_yuewiki",
    "be-tarask": "be_x_oldwiki",
    "be-x-old": "be_x_oldwiki",
    "be_x_old": "be_x_oldwiki",
    "nb": "nowiki",
    "nowiki": "nowiki",
    "nds-nl": "nds_nlwiki",
    "SIMPLE": "simplewiki",
    "enwiki": "enwiki",
}


def moved_to(event: Event, wiki_id: str, domain: str) -> Event:
    event["wiki_id"] = wiki_id
    event["meta"]["domain"] = domain
    return event


@pytest.mark.parametrize("wiki_id", HOSTS)
async def test_e26_wiki_is_asked_at_its_own_host(stage: Stage, wiki_id: str) -> None:
    """A wiki is asked at its own host, also where that is not made of its id; the answer names its database."""
    reply = await stage.deliver(stage.wikis.event(1, wiki_id))
    assert (reply.outcome, reply.body["wiki_db"]) == ("produced", wiki_id)
    (call,) = await stage.wiki_calls()
    assert call["host"].partition(":")[0] == HOSTS[wiki_id]
    assert (await stage.the_emitted())["wiki_id"] == wiki_id


@pytest.mark.parametrize(("name", "wiki_id"), NAMES.items())
async def test_e26_lang_may_be_code_subdomain_id_or_alias(stage: Stage, name: str, wiki_id: str) -> None:
    """`lang` may be a language code, a subdomain, a wiki id or an alias; the answer has the database name."""
    reply = await stage.ask({"lang": name, "rev_id": edit_of(1)})
    assert (reply.status, reply.body["wiki_db"]) == (200, wiki_id)


@pytest.mark.parametrize(
    ("wiki_id", "domain", "reason"),
    [
        ("aawiki", "aa.wikipedia.org", "not_wikipedia"),
        ("arbcom_enwiki", "arbcom-en.wikipedia.org", "not_wikipedia"),
        ("nostalgiawiki", "nostalgia.wikipedia.org", "not_wikipedia"),
        ("commonswiki", "commons.wikimedia.org", "not_wikipedia"),
        ("evilwiki", "evil.wikipedia.org", "unknown_wiki"),
    ],
)
async def test_e27_closed_private_and_other_wikis_are_skipped(
    stage: Stage, wiki_id: str, domain: str, reason: str
) -> None:
    """Closed wikis, private wikis and other projects are skipped by the table, without a fetch."""
    reply = await stage.deliver(moved_to(stage.wikis.event(1), wiki_id, domain))
    assert (reply.status, reply.outcome) == (200, f"skipped:{reason}")
    assert (await stage.wiki_calls(), await stage.posts()) == ([], 0)


async def test_e27_testwiki_is_scored(stage: Stage) -> None:
    """testwiki is scored and emits like any other wiki."""
    event = stage.wikis.event(1, "testwiki")
    assert (await stage.deliver(event, **{"X-Revertrisk-Reemit": "1"})).outcome == "produced"


@pytest.mark.parametrize(
    "domain",
    [
        "en.wikipedia.org.evil.example",
        "EN.wikipedia.org@evil",
        "en.wikipedia.org/x.wikipedia.org",
        "wikipedia.org",
        "evilwikipedia.org",
        "en.wikibooks.org",
        "",
    ],
)
async def test_e27_domain_of_another_wiki_is_refused(stage: Stage, domain: str) -> None:
    """An event whose domain belongs to another wiki of the table is refused, and the field is named."""
    reply = await stage.deliver(moved_to(stage.wikis.event(1), "enwiki", domain))
    assert (reply.status, reply.body["code"]) == (400, "invalid_event")
    assert [found["pointer"] for found in reply.body["violations"]] == ["/meta/domain"]
    assert (await stage.wiki_calls(), await stage.posts()) == ([], 0)


async def test_e27_wiki_that_was_renamed_is_skipped_and_said_once(stage: Stage) -> None:
    """H4: A Wikipedia host other than the table's is skipped; the log says so at level error, once for each wiki."""
    for wiki_id in ("simplewiki", "simplewiki", "dewiki"):
        event = moved_to(stage.wikis.event(1, wiki_id), wiki_id, "renamed-since.wikipedia.org")
        assert (await stage.deliver(event)).outcome == "skipped:unknown_wiki"
    said = [
        line for line in (await stage.log_text()).splitlines() if "another host than the wiki table" in line
    ]
    assert [orjson.loads(line)["log.level"] for line in said] == ["error", "error"]
    assert [wiki_id in line for wiki_id, line in zip(("simplewiki", "dewiki"), said, strict=True)] == [
        True,
        True,
    ]
    assert (await stage.counted())['revertrisk_requests_total{outcome="skipped:unknown_wiki"}'] == 3
    assert (await stage.wiki_calls(), await stage.posts()) == ([], 0)


@pytest.mark.parametrize(
    "lang",
    [
        "127.0.0.1",
        "en.wikipedia.org.evil.example",
        "en@evil",
        "../en",
        "en/",
        "en\r\nHost: evil",
        "evil.org#",
        "\uff45\uff4e",  # "en" in full width, which is "en" after normalisation
    ],
)
async def test_e28_lang_never_becomes_a_host(stage: Stage, lang: str) -> None:
    """A `lang` that is not in the table is refused before any connection is made."""
    reply = await stage.ask({"lang": lang, "rev_id": edit_of(1)})
    assert (reply.status, reply.body["code"]) == (400, "unknown_wiki")
    assert await stage.wiki_calls() == []


async def test_e28_host_header_comes_from_the_table(stage: Stage) -> None:
    """With `WIKI_URL` each wiki is asked at one address with its own `Host`, whatever the event's URI says."""
    event = stage.wikis.plain_edit()
    event["meta"]["uri"] = "https://evil.example/wiki/Foo"
    assert (await stage.deliver(event)).outcome == "produced"
    assert {call["host"].partition(":")[0] for call in await stage.wiki_calls()} == {"en.wikipedia.org"}
