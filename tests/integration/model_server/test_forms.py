"""Every form of request, good and bad, over a real socket: V1 batches, unsaved edits, V2 and gRPC."""

# ruff: noqa: E501 - tables read best with a row on a line

from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import numpy as np
import orjson
import pytest

from tests.fakes.clients import FAILURE_KEYS, MODEL, STREAM, Client, StartServer
from tests.fakes.loopback import held_port
from tests.fakes.wikis import AFTER, BEFORE, page, serving_wikis

UNSAVED: dict[str, Any] = {
    "id": 1,
    "lang": "en",
    "text": AFTER,
    "timestamp": "2026-10-01T12:00:00Z",
    "bytes": len(AFTER),
    "comment": "school",
    "page": {"id": 7, "title": "Oberdorf", "first_edit_timestamp": "2001-01-01T00:00:00Z"},
    "parent": {
        "id": 6,
        "lang": "en",
        "text": BEFORE,
        "timestamp": "2026-09-01T12:00:00Z",
        "bytes": len(BEFORE),
    },
    "user": {"id": 42},
}
WIKIS = {
    "enwiki": [page(1, 10, 11), page(2, 20, 21, hidden=["text"]), page(3, 30, 31)],
    "dewiki": [page(1, 10, 11)],
}


@pytest.fixture(scope="module")
def wiki() -> Iterator[str]:
    with serving_wikis(WIKIS) as url:
        yield url


@pytest.fixture(scope="module")
def grpc_port() -> Iterator[int]:
    with held_port() as port:
        yield port


@pytest.fixture(scope="module")
def server(start_server: StartServer, wiki: str, gate: str, grpc_port: int) -> Iterator[str]:
    """A producer that accepts every form: none but an event may make it emit."""
    with start_server(
        WIKI_URL=wiki,
        EVENTGATE_URL=gate,
        EVENTGATE_STREAM=STREAM,
        ALLOW_REVISION_JSON_INPUT="true",
        ENABLE_GRPC="true",
        GRPC_PORT=str(grpc_port),
    ) as program:
        yield program.url


def call(lang: str, rev_id: int) -> dict[str, Any]:
    return {"lang": lang, "rev_id": rev_id}


async def test_instances_come_back_in_order_with_their_errors(
    client: Client, server: str, empty_gate: str
) -> None:
    """E31: successes in input order, failures with their index, mixed wikis, and nothing emitted."""
    calls = [
        call("en", 31),
        call("en", 999),
        call("de", 11),
        call("en", 21),
        call("xx", 1),
        call("enwiki", 11),
    ]
    reply = await client.predict(server, {"instances": calls})
    assert reply.status == 200
    assert [(item["wiki_db"], item["revision_id"]) for item in reply.body["predictions"]] == [
        ("enwiki", 31),
        ("dewiki", 11),
        ("enwiki", 11),
    ]
    assert [(item["index"], item["lang"], item["rev_id"], item["code"]) for item in reply.body["errors"]] == [
        (1, "en", 999, "revision_missing"),
        (3, "en", 21, "revision_hidden"),
        (4, "xx", 1, "unknown_wiki"),
    ]
    assert await client.accepted(empty_gate) == []


async def test_instances_without_errors_have_no_errors(client: Client, server: str) -> None:
    """The key is there only if there are any."""
    reply = await client.predict(server, {"instances": [call("en", 11)]})
    assert reply.body.keys() == {"predictions"}


async def test_a_batch_scores_as_single_calls_do(client: Client, server: str) -> None:
    """Whatever a revision is scored with, its score is the same to the last digit."""
    calls = [call("en", 11), call("de", 11), call("en", 31)]
    batch = await client.predict(server, {"instances": calls})
    singles = [(await client.predict(server, each)).body for each in calls]
    assert batch.body["predictions"] == singles


async def test_instances_of_one_wiki_are_fetched_together(client: Client, server: str, wiki: str) -> None:
    """Two revisions of a wiki take two requests, one for them and one for their parents, not four."""
    async with client.session.delete(f"{wiki}/_mock/requests"):
        pass
    await client.predict(server, {"instances": [call("en", 11), call("en", 31)]})
    requests = await client.get(f"{wiki}/_mock/requests")
    listed = requests["requests"] if isinstance(requests, dict) else requests
    assert sorted(request["params"]["revids"] for request in listed) == ["10|30", "11|31"]


async def test_all_failed_is_422(client: Client, server: str) -> None:
    """No failure of them can pass."""
    reply = await client.predict(server, {"instances": [call("en", 999), call("xx", 1)]})
    assert (reply.status, reply.body["code"], reply.body["retryable"]) == (422, "nothing_scored", False)
    assert [item["code"] for item in reply.body["errors"]] == ["revision_missing", "unknown_wiki"]


async def test_all_failed_for_now_is_503(client: Client, start_server: StartServer) -> None:
    """Every failure may pass, so the batch may be sent again."""
    with start_server(WIKI_URL="http://127.0.0.1:9") as program:
        reply = await client.predict(program.url, {"instances": [call("en", 11), call("de", 11)]})
    assert (reply.status, reply.body["code"], reply.body["retryable"]) == (503, "nothing_scored", True)
    assert reply.headers["retry-after"]
    assert {item["code"] for item in reply.body["errors"]} == {"mediawiki_unavailable"}


TWENTY_ONE = [call("en", number) for number in range(1, 22)]
BAD: list[tuple[str, Any, str, str]] = [
    ("instances empty", {"instances": []}, "invalid_request", "instances"),
    ("instances an object", {"instances": {}}, "invalid_request", "instances"),
    ("instances of strings", {"instances": ["en"]}, "invalid_request", "instances[0]"),
    ("too many instances", {"instances": TWENTY_ONE}, "batch_too_large", "20"),
    ("bad rev_id", {"instances": [call("en", 11), {"lang": "en", "rev_id": "1 "}]}, "invalid_request", "instances[1].rev_id"),
    ("instances and event", {"instances": [], "event": {}}, "ambiguous_request", "instances"),
    ("instances and revision_data", {"instances": [], "revision_data": {}}, "ambiguous_request", "instances"),
    ("revision_data null", {"revision_data": None}, "invalid_revision_data", "/"),
    ("revision_data without parent", {"revision_data": {**UNSAVED, "parent": {}}}, "invalid_revision_data", "/parent/text"),
    ("revision_data of no language", {"revision_data": UNSAVED | {"lang": "evil.example"}}, "unknown_wiki", "lang"),
    ("revision_data of an unknown wiki", {"revision_data": UNSAVED | {"lang": "xxwiki"}}, "unknown_wiki", "lang"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "body", "code", "named"), BAD, ids=[row[0] for row in BAD])
async def test_a_bad_form_is_refused_with_the_field_named(
    client: Client, server: str, what: str, body: Any, code: str, named: str
) -> None:
    """Always 400, never an emission."""
    reply = await client.predict(server, body)
    assert (reply.status, reply.body["code"]) == (400, code), what
    assert named in reply.body["error"]


async def test_an_unsaved_edit_is_scored_without_asking_anybody(
    client: Client, server: str, wiki: str, empty_gate: str
) -> None:
    """E32: rev_id -1 in the answer, no MediaWiki call, no emission."""
    async with client.session.delete(f"{wiki}/_mock/requests"):
        pass
    reply = await client.predict(server, {"revision_data": UNSAVED})
    assert (reply.status, reply.body["wiki_db"], reply.body["revision_id"]) == (200, "enwiki", -1)
    assert (await client.get(f"{wiki}/_mock/stats"))["requests"] == 0
    assert await client.accepted(empty_gate) == []


@pytest.mark.parametrize(
    ("lang", "wiki_db"),
    [
        ("egl", "emlwiki"),
        ("zh-hans", "zhwiki"),
        ("en-gb", "enwiki"),
        ("tlh", "tlhwiki"),
        ("bar-x-no", "barwiki"),
    ],
)
async def test_h2_an_unsaved_edit_comes_with_its_page_language(
    client: Client, server: str, lang: str, wiki_db: str
) -> None:
    """H2: of its wiki, or of none; for a direct call such a code names no wiki."""
    reply = await client.predict(server, {"revision_data": UNSAVED | {"lang": lang}})
    assert (reply.status, reply.body["wiki_db"]) == (200, wiki_db)
    assert (await client.predict(server, call(lang, 11))).body["code"] == "unknown_wiki"


async def test_h2_a_model_for_some_wikis_refuses_a_language_without_one(
    client: Client, start_server: StartServer, wiki: str
) -> None:
    """H2: 422, as for any wiki that it was not made for."""
    with start_server(
        WIKI_URL=wiki, ALLOW_REVISION_JSON_INPUT="true", SUPPORTED_WIKIS="enwiki,zhwiki"
    ) as program:
        for lang, code in (("zh-hant", None), ("tlh", "unsupported_wiki"), ("egl", "unsupported_wiki")):
            reply = await client.predict(program.url, {"revision_data": UNSAVED | {"lang": lang}})
            assert (reply.status, reply.body.get("code")) == (422 if code else 200, code)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"text": BEFORE}, "null_edit"), ({"text": "x" * 2_097_153}, "too_large")],
    ids=["null_edit", "too_large"],
)
async def test_an_unsaved_edit_that_cannot_be_scored_is_422(
    client: Client, server: str, changes: dict[str, str], code: str
) -> None:
    """The same codes as for a saved one."""
    reply = await client.predict(server, {"revision_data": UNSAVED | changes})
    assert (reply.status, reply.body["code"]) == (422, code)


async def test_unsaved_edits_are_refused_unless_allowed(client: Client, scorer: str) -> None:
    """The answer names the variable that allows them."""
    reply = await client.predict(scorer, {"revision_data": UNSAVED})
    assert reply.status == 400
    assert "ALLOW_REVISION_JSON_INPUT" in reply.body["error"]


def v2_body(*calls: Any) -> dict[str, Any]:
    data = [orjson.dumps(each).decode() for each in calls]
    return {"inputs": [{"name": "request", "shape": [len(data)], "datatype": "BYTES", "data": data}]}


async def infer(client: Client, server: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    async with client.session.post(
        f"{server}/v2/models/{MODEL}/infer", data=content, headers=headers
    ) as answer:
        return answer.status, orjson.loads(await answer.read())


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/octet-stream", "application/x-www-form-urlencoded", "nonsense"]
)
async def test_s8_v2_takes_json_whatever_its_content_type(client: Client, server: str, kind: str) -> None:
    """S8: as V1 does."""
    status, body = await infer(client, server, v2_body(call("en", 11)), **{"Content-Type": kind})
    assert (status, len(body["outputs"])) == (200, 3)


@pytest.mark.parametrize(
    "names", [["error"], ["probability", "prediction"], ["error", "probability", "prediction"]]
)
async def test_s9_the_outputs_are_those_asked_for(
    client: Client, server: str, grpc_client: Any, names: list[str]
) -> None:
    """S9: in that order, over HTTP and gRPC."""
    body = v2_body(call("en", 11)) | {"outputs": [{"name": name} for name in names]}
    _, answer = await infer(client, server, body)
    assert [output["name"] for output in answer["outputs"]] == names
    request = infer_request(call("en", 11))
    request.request_outputs = [requested_output(name) for name in names]
    assert [output.name for output in (await grpc_client.infer(request)).outputs] == names


def binary_body(*calls: Any, said: int | None = None, **fields: Any) -> tuple[bytes, str]:
    """A V2 body whose tensor comes after the JSON, and the size of the JSON."""
    elements = [orjson.dumps(each) for each in calls]
    raw = b"".join(len(element).to_bytes(4, "little") + element for element in elements)
    tensor = {
        "name": "request",
        "shape": [len(calls)],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": said or len(raw)},
    }
    document = orjson.dumps({"inputs": [tensor]} | fields)
    return document + raw, str(len(document))


async def test_s9_a_binary_tensor_is_answered_in_binary_where_that_is_asked_for(
    client: Client, server: str
) -> None:
    """S9: all outputs, or those that say so; what tritonclient sends by default."""
    url = f"{server}/v2/models/{MODEL}/infer"
    asked = [{"name": "probability", "parameters": {"binary_data": True}}, {"name": "prediction"}]
    expected = (await client.predict(server, call("en", 11))).body["output"]["probabilities"]["true"]
    for fields in ({"parameters": {"binary_data_output": True}}, {"outputs": asked}):
        body, length = binary_body(call("en", 11), **fields)
        async with client.session.post(
            url, data=body, headers={"Inference-Header-Content-Length": length}
        ) as answer:
            content = await answer.read()
            end = int(answer.headers["inference-header-content-length"])
        at = end if "outputs" in fields else end + 1  # a BOOL of one byte before it
        assert np.frombuffer(content, np.float64, 1, at).tolist() == [expected]
        assert len(orjson.loads(content[:end])["outputs"]) == len(fields.get("outputs", "all"))


@pytest.mark.parametrize(
    ("body", "length", "named"),
    [
        (binary_body(call("en", 11))[0], "nonsense", "Inference-Header-Content-Length"),
        (binary_body(call("en", 11))[0], "9" * 400, "Inference-Header-Content-Length"),
        (binary_body(call("en", 11))[0], "0" * 5000, "Inference-Header-Content-Length"),
        (*binary_body(call("en", 11), said=7), "binary_data_size"),
        (*binary_body(call("en", 11), said=2**40), "binary_data_size"),
        (*binary_body(), "at least one"),
        (b"{}", "2", "inputs"),
        (b'{"inputs": [1]}', "15", "inputs[0]"),
    ],
)
async def test_s9_a_bad_binary_body_is_refused(
    client: Client, server: str, body: bytes, length: str, named: str
) -> None:
    """S9: with what is wrong, and never a 500."""
    status, failure = await infer(client, server, body, **{"Inference-Header-Content-Length": length})
    assert (status, named in failure["error"]) == (400, True), failure


async def test_v2_scores_a_tensor_of_calls(client: Client, server: str, empty_gate: str) -> None:
    """Three outputs of the input's length; an item that failed says why, and has no probability."""
    status, body = await infer(client, server, v2_body(call("en", 11), call("en", 999)))
    assert status == 200
    outputs = {output["name"]: output for output in body["outputs"]}
    assert {name: (output["datatype"], output["shape"]) for name, output in outputs.items()} == {
        "prediction": ("BOOL", [2]),
        "probability": ("FP64", [2]),
        "error": ("BYTES", [2]),
    }
    single = await client.predict(server, call("en", 11))
    assert outputs["probability"]["data"] == [single.body["output"]["probabilities"]["true"], -1.0]
    assert outputs["error"]["data"][0] == ""
    assert orjson.loads(outputs["error"]["data"][1])["code"] == "revision_missing"
    assert await client.accepted(empty_gate) == []


V2_BAD: list[tuple[str, Any, int, str]] = [
    ("no such input", {"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "data": ["{}"]}]}, 400, "request"),
    ("two inputs", {"inputs": v2_body(call("en", 11))["inputs"] * 2}, 400, "request"),
    ("numbers", {"inputs": [{"name": "request", "shape": [1], "datatype": "INT32", "data": [1]}]}, 400, "BYTES"),
    ("two dimensions", {"inputs": [{"name": "request", "shape": [1, 1], "datatype": "BYTES", "data": ["{}"]}]}, 400, "shape"),
    ("not JSON", {"inputs": [{"name": "request", "shape": [1], "datatype": "BYTES", "data": ["x"]}]}, 400, "data[0]"),
    ("no rev_id", v2_body({"lang": "en"}), 400, "rev_id"),
    ("an event", v2_body({"event": {}}), 400, "rev_id"),
    ("nothing scored", v2_body(call("en", 999)), 422, "none"),
    ("empty", b"", 400, "empty"),
    ("half a body", b'{"inputs": [', 400, "line 1"),
    ("a list", [1], 400, "object"),
    ("no inputs", {}, 400, "inputs: is missing"),
    ("a shape of text", {"inputs": [{"name": "request", "shape": "1", "datatype": "BYTES", "data": ["{}"]}]}, 400, "inputs[0].shape: expected an array"),
    ("S9: no such output", v2_body(call("en", 11)) | {"outputs": [{"name": "error"}, {"name": "score"}]}, 400, "outputs[1].name (score)"),
    ("S9: an output of no name", v2_body(call("en", 11)) | {"outputs": [{"name": "a\nb"}]}, 400, "outputs[0].name is not"),
    ("S9: an output twice", v2_body(call("en", 11)) | {"outputs": [{"name": "error"}] * 4}, 400, "same name twice"),
    ("S9: more than pydantic may list", {"inputs": [1] * 17}, 400, "inputs must have at most 16"),
    ("S9: a parameter of the caller's name", v2_body(call("en", 11)) | {"parameters": {"a: b": None}}, 400, "parameters: expected numbers, strings and booleans"),
    ("S9: many parameters", v2_body(call("en", 11)) | {"outputs": [{"parameters": dict.fromkeys("abcdefghijklmnopq")}]}, 400, "parameters"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "body", "status", "named"), V2_BAD, ids=[row[0] for row in V2_BAD])
async def test_a_bad_v2_request_has_the_one_body(
    client: Client, server: str, what: str, body: Any, status: int, named: str
) -> None:
    """As on V1."""
    answered, failure = await infer(client, server, body)
    assert answered == status, (what, failure)
    assert named in failure["error"]
    assert "a: b" not in failure["error"]
    assert failure.keys() >= FAILURE_KEYS


async def test_v2_metadata_describes_the_tensors(client: Client, server: str) -> None:
    """A client can find out what to send."""
    metadata = await client.get(f"{server}/v2/models/{MODEL}")
    assert metadata["inputs"] == [{"name": "request", "datatype": "BYTES", "shape": [-1]}]
    assert [output["name"] for output in metadata["outputs"]] == ["prediction", "probability", "error"]


@pytest.fixture
async def grpc_client(server: str, grpc_port: int) -> AsyncIterator[Any]:
    from kserve import InferenceGRPCClient  # noqa: PLC0415 - kserve is slow to import and needed here only

    async with InferenceGRPCClient(url=f"127.0.0.1:{grpc_port}") as kserve_client:
        yield kserve_client


@pytest.fixture
async def channel(server: str, grpc_port: int) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        yield channel


def requested_output(name: str) -> Any:
    from kserve.protocol.infer_type import RequestedOutput  # noqa: PLC0415

    return RequestedOutput(name)


def infer_request(*calls: Any) -> Any:
    from kserve import InferInput, InferRequest  # noqa: PLC0415

    tensor = InferInput("request", [len(calls)], "BYTES", [orjson.dumps(each).decode() for each in calls])
    return InferRequest(model_name=MODEL, infer_inputs=[tensor])


async def test_kserves_grpc_client_scores_two_revisions(
    client: Client, server: str, grpc_client: Any, empty_gate: str
) -> None:
    """The same scores as on V1."""
    calls = [call("en", 11), call("de", 11)]
    response = await grpc_client.infer(infer_request(*calls))
    outputs = {output.name: output.as_numpy().tolist() for output in response.outputs}
    singles = [(await client.predict(server, each)).body["output"] for each in calls]
    assert outputs["probability"] == [single["probabilities"]["true"] for single in singles]
    assert outputs["prediction"] == [single["prediction"] for single in singles]
    assert await client.accepted(empty_gate) == []


async def test_kserves_rest_client_scores_two_revisions(client: Client, server: str) -> None:
    """Its V2 REST client as well."""
    from kserve import InferenceRESTClient, RESTConfig  # noqa: PLC0415

    async with InferenceRESTClient(RESTConfig(protocol="v2")) as rest:
        response = await rest.infer(server, infer_request(call("en", 11), call("de", 11)), model_name=MODEL)
    assert [output.name for output in response.outputs] == ["prediction", "probability", "error"]
    assert all(0 < value < 1 for value in response.outputs[1].data)


@pytest.mark.parametrize(
    ("calls", "status"),
    [
        ([{"lang": "en"}], grpc.StatusCode.INVALID_ARGUMENT),
        ([call("en", 999)], grpc.StatusCode.FAILED_PRECONDITION),
    ],
    ids=["400", "422"],
)
async def test_grpc_says_what_http_says(grpc_client: Any, calls: list[Any], status: grpc.StatusCode) -> None:
    """INVALID_ARGUMENT for 400, FAILED_PRECONDITION for 422."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await grpc_client.infer(infer_request(*calls))
    assert caught.value.code() is status


async def test_grpc_health_and_no_unload(grpc_client: Any, channel: grpc.aio.Channel) -> None:
    """S9: the repository is closed over gRPC, in a sentence: an unload would turn every later event into a 404."""
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb  # noqa: PLC0415
    from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc  # noqa: PLC0415

    assert await grpc_client.is_server_live()
    stub = grpc_predict_v2_pb2_grpc.GRPCInferenceServiceStub(channel)
    for asked in (
        stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name=MODEL)),
        stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name=MODEL)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asked
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "one model" in caught.value.details()
    assert await grpc_client.is_model_ready(MODEL)
    assert await grpc_client.is_server_ready()


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
async def test_s9_a_request_over_grpc_is_answered_in_its_own_form(
    client: Client, server: str, channel: grpc.aio.Channel, raw: bool
) -> None:
    """S9: a raw tensor is answered with raw tensors, which tritonclient cannot do without; a typed one with typed ones."""
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb  # noqa: PLC0415
    from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc  # noqa: PLC0415

    element = orjson.dumps(call("en", 11))
    tensor = pb.ModelInferRequest.InferInputTensor(name="request", shape=[1], datatype="BYTES")
    contents = []
    if raw:
        contents = [len(element).to_bytes(4, "little") + element]
    else:
        tensor.contents.bytes_contents.append(element)
    request = pb.ModelInferRequest(model_name=MODEL, inputs=[tensor], raw_input_contents=contents)
    request.outputs.add(name="probability")
    answer = await grpc_predict_v2_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request)
    expected = (await client.predict(server, call("en", 11))).body["output"]["probabilities"]["true"]
    if raw:
        assert [np.frombuffer(part).tolist() for part in answer.raw_output_contents] == [[expected]]
    assert list(answer.outputs[0].contents.fp64_contents) == ([] if raw else [expected])


async def test_s9_the_standard_health_service_answers(channel: grpc.aio.Channel) -> None:
    """S9: of the server and of its service; a service of another name is unknown."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", "inference.GRPCInferenceService"):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(service="another"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
