"""The V2 protocol and gRPC: one BYTES tensor of direct calls in, three tensors of the same length out."""

import re
import struct
import uuid
from collections.abc import Sequence
from typing import Any

import grpc
import orjson
from kserve import InferOutput, InferRequest, InferResponse
from kserve.protocol.infer_type import RequestedOutput, deserialize_bytes_tensor
from kserve.protocol.rest.v2_datamodels import InferenceRequest
from pydantic import ValidationError

from model_server.answers import ItemOutcome, item_error
from model_server.errors import InvalidRequestError, ServiceError
from model_server.pipeline import ScoredJob
from model_server.request_reader import parse_object
from model_server.scoring_request import BatchItem
from revertrisk.runtime.validation import explain

INPUT = "request"
INPUTS: list[dict[str, Any]] = [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}]
OUTPUTS: list[dict[str, Any]] = [
    {"name": "prediction", "datatype": "BOOL", "shape": [-1]},
    {"name": "probability", "datatype": "FP64", "shape": [-1]},
    {"name": "error", "datatype": "BYTES", "shape": [-1]},
]
OUTPUT_NAMES = tuple(output["name"] for output in OUTPUTS)
NO_PROBABILITY = -1.0
"""The probability of an item that failed: outside what one can be, since JSON has no NaN."""
GRPC_STATUSES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    422: grpc.StatusCode.FAILED_PRECONDITION,
    503: grpc.StatusCode.UNAVAILABLE,
}
JSON_LENGTH = b"inference-header-content-length"
"""Says where the JSON of a body ends that continues with its tensors in binary."""
MAX_ENTRIES = 16
"""Of the lists and objects of a V2 request, the data of its tensor aside: it has one tensor and three outputs."""
WRONG_TENSOR = "inputs[0] must have datatype BYTES and shape [n], each a JSON object"
WRONG_PARAMETERS = "parameters: expected numbers, strings and booleans"
WRONG_SIZE = "inputs[0] does not hold what its binary_data_size says"

_PARAMETER = re.compile(r"parameters\..*", re.DOTALL)
_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
_LENGTH = re.compile(rb"[0-9]{1,16}")
Headers = list[tuple[bytes, bytes]]


def read_body(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """Return a V2 request over HTTP as KServe reads it, JSON throughout, whatever its Content-Type says.

    Raises:
        InvalidRequestError: it is not one; the message names each field that is wrong.

    """
    length = dict(headers).get(JSON_LENGTH)
    begin = len(body) if length is None else _json_length(length, body)
    document = parse_object(body[:begin])
    _check_entries(document)
    if length is not None:
        _take_in(body[begin:], document)
    try:
        InferenceRequest.model_validate(document)
    except ValidationError as exc:
        # The names of parameters are the caller's: they are neither answered nor logged.
        problems = dict.fromkeys(_PARAMETER.sub(WRONG_PARAMETERS, line) for line in explain(exc))
        raise InvalidRequestError("; ".join(list(problems)[:MAX_ENTRIES])) from None
    others = [
        header for header in headers if header[0] not in {b"content-type", b"content-length", JSON_LENGTH}
    ]
    body = body if length is None else orjson.dumps(document)
    return [*others, (b"content-type", b"application/json")], body


def _json_length(written: bytes, body: bytes) -> int:
    if not _LENGTH.fullmatch(written) or int(written) > len(body):
        raise InvalidRequestError(
            "Inference-Header-Content-Length must be the size of the JSON that the body begins with"
        )
    return int(written)


def _check_entries(document: dict[str, Any]) -> None:
    """Refuse what pydantic would take seconds for: it makes an error of each entry that is wrong."""
    named = [document.get(name) for name in ("inputs", "outputs")]
    parts = [part for each in named if isinstance(each, list) for part in each[:MAX_ENTRIES]]
    for part in (document, *parts):
        for name in ("inputs", "outputs", "shape", "parameters"):
            entries = part.get(name) if isinstance(part, dict) else None
            if isinstance(entries, list | dict) and len(entries) > MAX_ENTRIES:
                raise InvalidRequestError(f"{name} must have at most {MAX_ENTRIES} entries")


def _take_in(binary: bytes, document: dict[str, Any]) -> None:
    """Put the tensors that follow the JSON into it."""
    inputs, begin = document.get("inputs"), 0
    for tensor in inputs if isinstance(inputs, list) else ():
        parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
        size = parameters.pop("binary_data_size", None) if isinstance(parameters, dict) else None
        if size is None:
            continue
        if tensor.get("datatype") != "BYTES":
            raise InvalidRequestError(WRONG_TENSOR)
        if type(size) is not int or not 0 <= size <= len(binary) - begin:
            raise InvalidRequestError(WRONG_SIZE)
        end = begin + size
        try:
            tensor["data"] = [element.decode() for element in deserialize_bytes_tensor(binary[begin:end])]
        except (ValueError, struct.error):
            raise InvalidRequestError(WRONG_SIZE) from None
        begin = end


def instances(request: InferRequest) -> list[Any]:
    """Return the direct calls of a V2 request.

    Raises:
        InvalidRequestError: the tensor is not one of direct calls, or an output is asked for that there is not;
            the message says why.

    """
    asked = request.request_outputs or ()
    for index, output in enumerate(asked):
        if output.name not in OUTPUT_NAMES:
            named = f" ({output.name})" if _NAME.fullmatch(output.name) else ""
            raise InvalidRequestError(
                f"outputs[{index}].name{named} is not known: expected {', '.join(OUTPUT_NAMES)}"
            )
    if len({output.name for output in asked}) < len(asked):
        raise InvalidRequestError("outputs must name none twice")
    if len(request.inputs) != 1 or request.inputs[0].name != INPUT:
        raise InvalidRequestError(f"inputs must be one tensor named {INPUT}")
    tensor = request.inputs[0]
    if tensor.datatype != "BYTES" or len(tensor.shape) != 1:
        raise InvalidRequestError(WRONG_TENSOR)
    try:
        elements = tensor.as_numpy().tolist()
    except Exception as exc:
        raise InvalidRequestError("inputs[0] does not hold what its shape says") from exc
    return [_parse(index, element) for index, element in enumerate(elements)]


def _parse(index: int, element: Any) -> Any:
    try:
        return orjson.loads(element)
    except (orjson.JSONDecodeError, TypeError):
        raise InvalidRequestError(
            f"inputs[0].data[{index}] must be a JSON object with lang and rev_id"
        ) from None


def response(
    request: InferRequest, items: Sequence[BatchItem], outcomes: Sequence[ItemOutcome]
) -> InferResponse:
    """Return the scores as the tensors that were asked for, in that order; as all of them where none was named.

    They are in binary where the request asks for that, and over gRPC where its own tensor was.
    """
    shape = [len(outcomes)]
    scores = [outcome.prediction if isinstance(outcome, ScoredJob) else None for outcome in outcomes]
    values: dict[str, list[Any]] = {
        "prediction": [bool(score and score.prediction) for score in scores],
        "probability": [score.probability if score else NO_PROBABILITY for score in scores],
        "error": [
            orjson.dumps(item_error(index, item, outcome)).decode()
            if isinstance(outcome, ServiceError)
            else ""
            for index, (item, outcome) in enumerate(zip(items, outcomes, strict=True))
        ],
    }
    datatypes = {output["name"]: output["datatype"] for output in OUTPUTS}
    asked = request.request_outputs or [RequestedOutput(name) for name in OUTPUT_NAMES]
    return InferResponse(
        response_id=request.id or str(uuid.uuid4()),  # kserve cannot render an answer without one
        model_name=request.model_name,
        model_version=next((score.model_version for score in scores if score is not None), None),
        infer_outputs=[
            InferOutput(output.name, shape, datatypes[output.name], values[output.name]) for output in asked
        ],
        use_binary_outputs=request.use_binary_outputs,
        # What one output is to be wins over what all are to be; kserve forgets the latter where there is any of these.
        requested_outputs=[
            RequestedOutput(
                output.name,
                {
                    "binary_data": request.use_binary_outputs
                    if output.binary_data is None
                    else output.binary_data
                },
            )
            for output in asked
        ],
    )


def grpc_status(error: ServiceError) -> grpc.StatusCode:
    """Return the gRPC status that says what an HTTP status says."""
    return GRPC_STATUSES.get(error.status, grpc.StatusCode.INTERNAL)
