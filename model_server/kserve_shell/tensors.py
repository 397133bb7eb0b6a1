"""The V2 protocol and gRPC: one BYTES tensor of direct calls in, three tensors of the same length out."""

import uuid
from collections.abc import Sequence
from typing import Any

import grpc
import orjson
from kserve import InferOutput, InferRequest, InferResponse

from model_server.answers import ItemOutcome, item_error
from model_server.errors import InvalidRequestError, ServiceError
from model_server.pipeline import ScoredJob
from model_server.scoring_request import BatchItem

INPUT = "request"
INPUTS: list[dict[str, Any]] = [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}]
OUTPUTS: list[dict[str, Any]] = [
    {"name": "prediction", "datatype": "BOOL", "shape": [-1]},
    {"name": "probability", "datatype": "FP64", "shape": [-1]},
    {"name": "error", "datatype": "BYTES", "shape": [-1]},
]
NO_PROBABILITY = -1.0
"""The probability of an item that failed: outside what one can be, since JSON has no NaN."""
GRPC_STATUSES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    422: grpc.StatusCode.FAILED_PRECONDITION,
    503: grpc.StatusCode.UNAVAILABLE,
}


def instances(request: InferRequest) -> list[Any]:
    """Return the direct calls of a V2 request.

    Raises:
        InvalidRequestError: the tensor is not one of direct calls; the message says why.

    """
    if len(request.inputs) != 1 or request.inputs[0].name != INPUT:
        raise InvalidRequestError(f"inputs must be one tensor named {INPUT}")
    tensor = request.inputs[0]
    if tensor.datatype != "BYTES" or len(tensor.shape) != 1:
        raise InvalidRequestError("inputs[0] must have datatype BYTES and shape [n], each a JSON object")
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
    """Return the scores as tensors."""
    shape = [len(outcomes)]
    scores = [outcome.prediction if isinstance(outcome, ScoredJob) else None for outcome in outcomes]
    errors = [
        orjson.dumps(item_error(index, item, outcome)).decode() if isinstance(outcome, ServiceError) else ""
        for index, (item, outcome) in enumerate(zip(items, outcomes, strict=True))
    ]
    return InferResponse(
        response_id=request.id or str(uuid.uuid4()),  # kserve cannot render an answer without one
        model_name=request.model_name,
        model_version=next((score.model_version for score in scores if score is not None), None),
        infer_outputs=[
            InferOutput("prediction", shape, "BOOL", [bool(score and score.prediction) for score in scores]),
            InferOutput(
                "probability",
                shape,
                "FP64",
                [score.probability if score else NO_PROBABILITY for score in scores],
            ),
            InferOutput("error", shape, "BYTES", errors),
        ],
    )


def grpc_status(error: ServiceError) -> grpc.StatusCode:
    """Return the gRPC status that says what an HTTP status says."""
    return GRPC_STATUSES.get(error.status, grpc.StatusCode.INTERNAL)
