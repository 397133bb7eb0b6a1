"""What a server says of itself."""

from tests.fakes.clients import MODEL, STREAM, Client, StartServer


async def test_a_producer_tells_its_stream(client: Client, producer: str) -> None:
    """With the model, the schema and the wikis: what a backfill has to know before it sends anything."""
    about = await client.get(f"{producer}/v1/about")
    wikis = set(about.pop("wikis"))
    assert {"enwiki", "testwiki", "zh_yuewiki"} <= wikis
    assert "commonswiki" not in wikis
    assert about == {
        "model_name": MODEL,
        "model_version": "revertrisk-events-2",
        "stream": STREAM,
        "schema": "/mediawiki/page/prediction_classification_change/1.3.0",
        "lenient": False,
        "max_revision_bytes": 2_097_152,
    }


async def test_a_scorer_tells_that_it_has_none(
    client: Client, start_server: StartServer, sample_wiki: str
) -> None:
    """And a server for some wikis tells which."""
    with start_server(
        WIKI_URL=sample_wiki, SUPPORTED_WIKIS="enwiki,dewiki", MAX_REVISION_BYTES="1000"
    ) as program:
        about = await client.get(f"{program.url}/v1/about")
    assert about["stream"] is None
    assert about["wikis"] == ["dewiki", "enwiki"]
    assert about["max_revision_bytes"] == 1000


async def test_it_can_only_be_read(client: Client, scorer: str) -> None:
    """Anything but GET is refused like on every route."""
    async with client.session.post(f"{scorer}/v1/about", data=b"{}") as answer:
        assert (answer.status, (await answer.json())["code"]) == (405, "method_not_allowed")
