"""The words for what is wrong with a document."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from revertrisk.runtime.validation import explain


def _even(number: int) -> int:
    if number % 2:
        raise ValueError("expected an even number")
    return number


class Part(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(min_length=1)] = "name"
    size: Annotated[float, Field(gt=0, le=9.5)] = 1.0
    count: Annotated[int, AfterValidator(_even)] = 2
    is_on: bool = True
    kind: Literal["a", "b"] = "a"
    wikis: frozenset[str] | None = None
    by_name: dict[str, int] = {}
    since: AwareDatetime | None = None


class Document(BaseModel):
    """A document of parts."""

    parts: list[Part]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"name": 7}, "parts[0].name: expected a string"),
        ({"name": ""}, "parts[0].name: expected a string that is not empty"),
        ({"size": "1"}, "parts[0].size: expected a number"),
        ({"size": float("inf")}, "parts[0].size: expected a finite number"),
        ({"size": 0}, "parts[0].size: expected a number above 0"),
        ({"size": 10}, "parts[0].size: expected at most 9.5"),
        ({"count": True}, "parts[0].count: expected an integer"),
        ({"count": 3}, "parts[0].count: expected an even number"),
        ({"is_on": "yes"}, "parts[0].is_on: expected true or false"),
        ({"kind": "c"}, "parts[0].kind: expected 'a' or 'b'"),
        ({"wikis": {}}, "parts[0].wikis: expected an array"),
        ({"by_name": []}, "parts[0].by_name: expected an object"),
        ({"by_name": {"x": None}}, "parts[0].by_name.x: expected an integer"),
        ({"secret": "s3cret"}, "parts[0].secret: is not known"),
        ([], "parts[0]: expected an object"),
    ],
)
def test_what_is_wrong_is_named_with_what_was_expected(part: Any, expected: str) -> None:
    """By its path, and without the value."""
    with pytest.raises(ValidationError) as caught:
        Document.model_validate({"parts": [part]})
    assert explain(caught.value) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", ["parts: is missing"]),
        ("[]", ["expected an object"]),
        ("{", ["is not JSON"]),
        ('{"parts": 1}', ["parts: expected an array"]),
        (
            '{"parts": [{"name": 1, "is_on": 0}]}',
            ["parts[0].name: expected a string", "parts[0].is_on: expected true or false"],
        ),
        (
            '{"parts": [{"since": "2026-11-21T08:00:00"}]}',
            ["parts[0].since: expected a time with its zone, such as 2026-11-21T08:00:00Z"],
        ),
        ('{"parts": [{"since": "soon"}]}', ["parts[0].since: expected a time"]),
    ],
)
def test_a_document_as_text_is_explained_alike(text: str, expected: list[str]) -> None:
    """All that is wrong is listed, in the order of the fields."""
    with pytest.raises(ValidationError) as caught:
        Document.model_validate_json(text)
    assert explain(caught.value) == expected
