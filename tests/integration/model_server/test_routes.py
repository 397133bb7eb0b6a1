"""What the server answers beside predictions."""

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
        f'revertrisk_model_info{{model_name="{MODEL}",model_version="revertrisk-events-1",source="shipped"}} 1.0'
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


async def test_the_model_is_still_there_after_an_unload(client: Client, scorer: str) -> None:
    """An unload that worked would turn every later event into a final 404."""
    async with client.session.post(f"{scorer}/v2/repository/models/{MODEL}/unload"):
        pass
    assert (await client.predict(scorer, {"lang": "en", "rev_id": 456789})).status == 200
