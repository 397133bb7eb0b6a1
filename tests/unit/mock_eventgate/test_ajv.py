import json
from pathlib import Path
from typing import Any

import pytest

from mock_eventgate.ajv import AjvWording, errors_text

RECORD = json.loads((Path(__file__).parent / "ajv_record.json").read_text())


@pytest.mark.parametrize("case", RECORD["cases"], ids=lambda case: f"{len(case['errors'])} errors")
def test_errors_are_those_of_ajv(case: dict[str, Any]) -> None:
    """Keyword, dataPath, schemaPath, params, message and order are what AJV 6 itself reported."""
    assert AjvWording(RECORD["schema"]).errors(case["event"]) == case["errors"]


def test_valid_event_has_no_errors() -> None:
    """A valid event yields nothing."""
    page = RECORD["schema"]["properties"]["page"]
    assert AjvWording(page).errors({"id": 1, "title": "Fjell"}) == []


def test_unknown_keyword_has_ajvs_words_for_one() -> None:
    """A keyword without a wording of its own is reported in AJV's general words."""
    errors = AjvWording({"anyOf": [{"type": "string"}, {"type": "null"}]}).errors(1)
    assert errors == [
        {
            "keyword": "anyOf",
            "dataPath": "",
            "schemaPath": "#/anyOf",
            "params": {},
            "message": 'should pass "anyOf" keyword validation',
        }
    ]


def test_errors_text_joins_all_errors() -> None:
    """The text names each place in quotes, then what is wrong there."""
    errors = AjvWording(RECORD["schema"]).errors({"kind": "x", "a-b": 2, "undescribed": 1, "page": {"id": 0}})
    assert errors_text(errors) == (
        "'' should NOT have additional properties, "
        "'.kind' should be equal to one of the allowed values, "
        "'.page.id' should be >= 1, "
        "'.page' should have required property 'title'"
    )
