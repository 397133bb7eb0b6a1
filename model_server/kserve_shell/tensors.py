"""The V2 protocol and gRPC: the input is one BYTES tensor of direct calls, the outputs are three tensors as long."""

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
"""The probability of an item that failed: not a valid one, and JSON has no NaN."""
GRPC_STATUSES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    422: grpc.StatusCode.FAILED_PRECONDITION,
    503: grpc.StatusCode.UNAVAILABLE,
}
JSON_LENGTH = b"inference-header-content-length"
"""The header with the length of the JSON in a body that continues with binary tensors."""
MAX_ENTRIES = 16
"""The most entries of lists and objects in a V2 request, except the data: it has one tensor and three outputs."""
WRONG_TENSOR = "inputs[0] must have datatype BYTES and shape [n], each a JSON object"
WRONG_PARAMETERS = "parameters: expected numbers, strings and booleans"
WRONG_SIZE = "inputs[0] does not match its binary_data_size"

_PARAMETER = re.compile(r"parameters\..*", re.DOTALL)
_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
_LENGTH = re.compile(rb"[0-9]{1,16}")
Headers = list[tuple[bytes, bytes]]


def read_body(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """Return the headers and body of a V2 request over HTTP with all tensors as JSON, for any Content-Type.

    Raises:
        InvalidRequestError: it is not a V2 request; the message names each wrong field.

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
        # The caller chooses the names of parameters, so they are neither sent back nor logged.
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
            "Inference-Header-Content-Length must be the size of the JSON at the beginning of the body"
        )
    return int(written)


def _check_entries(document: dict[str, Any]) -> None:
    """Refuse long lists, for which pydantic would take seconds, since it makes an error for each wrong entry."""
    named = [document.get(name) for name in ("inputs", "outputs")]
    parts = [part for each in named if isinstance(each, list) for part in each[:MAX_ENTRIES]]
    for part in (document, *parts):
        for name in ("inputs", "outputs", "shape", "parameters"):
            entries = part.get(name) if isinstance(part, dict) else None
            if isinstance(entries, list | dict) and len(entries) > MAX_ENTRIES:
                raise InvalidRequestError(f"{name} must have at most {MAX_ENTRIES} entries")


def _take_in(binary: bytes, document: dict[str, Any]) -> None:
    """Put the binary tensors after the JSON into the document."""
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
        InvalidRequestError: the tensor does not hold direct calls, or an unknown output is requested; the message has
            the reason.

    """
    asked = request.request_outputs or ()
    for index, output in enumerate(asked):
        if output.name not in OUTPUT_NAMES:
            named = f" ({output.name})" if _NAME.fullmatch(output.name) else ""
            raise InvalidRequestError(
                f"outputs[{index}].name{named} is not known: expected {', '.join(OUTPUT_NAMES)}"
            )
    if len({output.name for output in asked}) < len(asked):
        raise InvalidRequestError("outputs must not have the same name twice")
    if len(request.inputs) != 1 or request.inputs[0].name != INPUT:
        raise InvalidRequestError(f"inputs must be one tensor named {INPUT}")
    tensor = request.inputs[0]
    if tensor.datatype != "BYTES" or len(tensor.shape) != 1:
        raise InvalidRequestError(WRONG_TENSOR)
    try:
        elements = tensor.as_numpy().tolist()
    except Exception as exc:
        raise InvalidRequestError("inputs[0] does not match its shape") from exc
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
    """Return the scores as the requested tensors, in that order; without a request for any, as all of them.

    They are binary if the request asks for that, and over gRPC if the input tensor was binary.
    """
    shape = [len(outcomes)]
    scores = [outcome.prediction if isinstance(outcome, ScoredJob) else None for outcome in outcomes]
    values: dict[str, list[Any]] = {
        "prediction": [bool(score and score.is_revert_predicted) for score in scores],
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
        response_id=request.id or str(uuid.uuid4()),  # kserve cannot serialise an answer without an id
        model_name=request.model_name,
        model_version=next((score.model_version for score in scores if score is not None), None),
        infer_outputs=[
            InferOutput(output.name, shape, datatypes[output.name], values[output.name]) for output in asked
        ],
        use_binary_outputs=request.use_binary_outputs,
        # The setting of one output overrides that of all; kserve ignores the latter if there is any of the former.
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
    """Return the gRPC status for a failure's HTTP status."""
    return GRPC_STATUSES.get(error.status, grpc.StatusCode.INTERNAL)
