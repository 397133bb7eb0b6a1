import uuid
from typing import Any

import pytest

from revertrisk.dispatcher.rule_language.problems import Problems
from revertrisk.dispatcher.rule_language.request import Request, RequestTemplate
from revertrisk.dispatcher.rule_language.templates import (
    Context,
    UnexpandableError,
    compile_body,
    compile_template,
)

TOPIC = "mediawiki.page_change.v1"


def built(
    event: dict[str, Any], *, uri: str = "{{globals.target}}/v1/models/m%3Apredict", **headers: str
) -> Request:
    problems = Problems()
    template = RequestTemplate(
        method="POST",
        uri=compile_template(uri, problems, target="http://host"),
        headers={name: compile_template(text, problems, target=None) for name, text in headers.items()},
        body=compile_body({"event": "{{globals.message}}"}, problems, target=None),
    )
    assert not problems.found
    return template.build(Context(event, {}), topic=TOPIC)


def event(**meta: Any) -> dict[str, Any]:
    return {"wiki_id": "enwiki", "meta": meta}


@pytest.mark.parametrize("given", [None, 7, "", "two words", "line\r\nbreak", "ä", "x" * 300])
def test_an_unusable_request_id_is_replaced(given: Any) -> None:
    """An event without an id that a header can carry gets one of its own, the same for every try."""
    request = built(event(request_id=given) if given is not None else {"wiki_id": "enwiki"})
    assert uuid.UUID(request.request_id)
    assert request.headers_for(0)["x-request-id"] == request.headers_for(1)["x-request-id"]


def test_a_uri_beyond_ascii_is_percent_encoded_in_the_trail() -> None:
    """No event can break out of the header, and what is encoded already stays as it is."""
    request = built(event(request_id="r", stream=TOPIC, uri="https://x/ä%20(y),\r\nevil: 1"))
    assert request.headers_for(0)["x-triggered-by"] == f"req:r,{TOPIC}:https://x/%C3%A4%20(y),%0D%0Aevil:%201"


def test_an_event_without_meta_is_of_its_rules_topic() -> None:
    """Where an event does not say what stream it is of, the rule's topic stands for it."""
    request = built({"wiki_id": "enwiki"})
    assert request.headers_for(0)["x-triggered-by"] == f"req:{request.request_id},{TOPIC}:"


def test_a_header_from_an_event_cannot_carry_a_line_break() -> None:
    """A control character in a header is a reason to give the event up, not a second header."""
    with pytest.raises(UnexpandableError, match=r"exec\.headers\.x-page"):
        built({"page": "a\r\nb"}, **{"x-page": "{{message.page}}"})


def test_an_address_that_is_none_is_refused() -> None:
    """A target that leads nowhere is found before anything is sent."""
    with pytest.raises(UnexpandableError, match="not an http address"):
        built({"host": ""}, uri="http://{{message.host}}/x")
