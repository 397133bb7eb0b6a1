"""What the server answers beside predictions."""

import gzip

import pytest

from tests.fakes.clients import FAILURE_KEYS, MODEL, Client


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/models", {"models": [MODEL]}),
        (f"/v1/models/{MODEL}", {"name": MODEL, "ready": True}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        (f"/v2/models/{MODEL}/ready", {"name": MODEL, "ready": True}),
    ],
)
async def test_kserves_routes_answer(
    client: Client, scorer: str, path: str, expected: dict[str, object]
) -> None:
    """Health and metadata are KServe's own."""
    assert await client.get(scorer + path) == expected


async def test_metrics_are_served(client: Client, scorer: str) -> None:
    """Ours and KServe's stand side by side, and the model in use is named."""
    await client.predict(scorer, {"lang": "en", "rev_id": 456789})
    async with client.session.get(f"{scorer}/metrics") as answer:
        text = await answer.text()
    assert 'revertrisk_requests_total{outcome="direct"}' in text
    assert f'request_preprocess_seconds_count{{model_name="{MODEL}"}}' in text
    assert (
        f'revertrisk_model_info{{model_name="{MODEL}",model_version="revertrisk-events-2",source="shipped"}} 1.0'
        in text
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", f"/v2/repository/models/{MODEL}/unload", 404, "not_found"),
        ("POST", f"/v2/repository/models/{MODEL}/load", 404, "not_found"),
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/models/another", 404, "model_not_found"),
        ("GET", "/v2/models/another", 404, "model_not_found"),
        ("POST", "/v1/models/another:predict", 404, "model_not_found"),
        ("GET", f"/v1/models/{MODEL}:predict", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
    ],
)
async def test_every_failure_has_the_one_body(
    client: Client, scorer: str, method: str, path: str, status: int, code: str
) -> None:
    """DESIGN 2, H1: unknown routes and models included; `detail` has the text of `error`."""
    async with client.session.request(method, scorer + path, data=b"{}") as answer:
        body = await answer.json()
        assert (answer.status, body["code"]) == (status, code)
        assert body.keys() == FAILURE_KEYS
        assert body["detail"] == body["error"]
        assert body["retryable"] is False


DOCUMENTS = [
    "/",
    "/metrics",
    "/openapi.json",
    "/v1/about",
    "/v1/models",
    f"/v1/models/{MODEL}",
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models",
    f"/v2/models/{MODEL}",
    f"/v2/models/{MODEL}/ready",
]
VERBS = [f"/v1/models/{MODEL}:predict", f"/v1/models/{MODEL}:explain", f"/v2/models/{MODEL}/infer"]


@pytest.mark.parametrize("path", [*DOCUMENTS, *VERBS])
async def test_s8_a_path_says_which_methods_it_takes(client: Client, scorer: str, path: str) -> None:
    """S8: `Allow` on every 405, also for HEAD and OPTIONS; HEAD is answered as GET is, without its body."""
    allowed = "POST" if path in VERBS else "GET, HEAD"
    for method in {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"} - set(allowed.split(", ")):
        async with client.session.request(method, scorer + path, data=b"{}") as answer:
            assert (answer.status, answer.headers["allow"]) == (405, allowed), method
            if method != "HEAD":
                assert (await answer.json())["code"] == "method_not_allowed"
    if path in DOCUMENTS:
        async with (
            client.session.head(scorer + path) as head,
            client.session.get(scorer + path) as answer,
        ):
            assert (head.status, head.headers["content-type"]) == (200, answer.headers["content-type"])
            assert (await head.read(), bool(await answer.read())) == (b"", True)


async def test_s8_head_fails_as_get_does(client: Client, scorer: str) -> None:
    """S8: where there is nothing, and for a model that is not there."""
    for path in ("/nowhere", "/v1/models/another", "/v2/models/another/ready"):
        async with client.session.head(scorer + path) as answer:
            assert answer.status == 404


@pytest.mark.parametrize("path", VERBS)
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate", "x-unheard-of"])
async def test_s8_a_compressed_body_is_refused_with_the_header_named(
    client: Client, scorer: str, path: str, coding: str
) -> None:
    """S8: 415, whatever is in it; one that is said to be as it is, is read."""
    for headers, status in (({"Content-Encoding": coding}, 415), ({"Content-Encoding": "identity"}, 400)):
        async with client.session.post(scorer + path, data=gzip.compress(b"{}"), headers=headers) as answer:
            body = await answer.json()
            assert answer.status == status
        if status == 415:
            assert (body["code"], body["retryable"]) == ("unsupported_media_type", False)
            assert "Content-Encoding" in body["error"]


async def test_the_model_is_still_there_after_an_unload(client: Client, scorer: str) -> None:
    """An unload that worked would turn every later event into a final 404."""
    async with client.session.post(f"{scorer}/v2/repository/models/{MODEL}/unload"):
        pass
    assert (await client.predict(scorer, {"lang": "en", "rev_id": 456789})).status == 200
