from typing import Any

import pytest

from revertrisk.dispatcher.rule_language.problems import Problems
from revertrisk.dispatcher.rule_language.templates import (
    Context,
    Template,
    UnexpandableError,
    compile_body,
    compile_template,
    expand_body,
)

EVENT = {
    "wiki_id": "enwiki",
    "page": {"page_id": 7, "page_title": "A/B?ä", "is_redirect": False},
    "tags": ["x"],
}
CONTEXT = Context(message=EVENT, match={"host": "en.wikipedia.org", "meta": {"uri": {"title": "Foo"}}})


def compiled(text: str) -> Template:
    problems = Problems()
    template = compile_template(text, problems, target="http://host:8080/base")
    assert not problems.found
    return template


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{globals.message}}", EVENT),
        ("{{message}}", EVENT),
        ("{{ message.page }}", EVENT["page"]),
        ("{{message.page.page_id}}", 7),
        ("{{message.page.is_redirect}}", False),
        ("{{globals.message.wiki_id}}", "enwiki"),
        ("{{match.host}}", "en.wikipedia.org"),
        ("{{match.meta.uri.title}}", "Foo"),
        ("{{globals.match.host}}", "en.wikipedia.org"),
        ("{{globals.target}}", "http://host:8080/base"),
        ("{{message.wiki_id}}-{{message.page.page_id}}", "enwiki-7"),
        ('{"tags": {{message.tags}}}', '{"tags": ["x"]}'),
        ("redirect={{message.page.is_redirect}}", "redirect=false"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_a_template_expands(text: str, value: Any) -> None:
    """A lone reference is the value itself; inside other text it becomes text."""
    assert compiled(text).value(CONTEXT) == value


def test_a_body_keeps_its_shape() -> None:
    """Every string inside a body is a template; everything else stands as it is."""
    problems = Problems()
    body = compile_body(
        {"event": "{{globals.message}}", "list": ["{{match.host}}", 1, None, True]}, problems, target=None
    )
    assert not problems.found
    assert expand_body(body, CONTEXT) == {"event": EVENT, "list": ["en.wikipedia.org", 1, None, True]}


def test_values_in_an_address_are_percent_encoded_and_the_target_is_not() -> None:
    """No field of an event can add a path segment, a query or a host to an address."""
    template = compiled("{{globals.target}}/page/{{message.page.page_title}}%3Apredict")
    assert template.uri(CONTEXT) == "http://host:8080/base/page/A%2FB%3F%C3%A4%3Apredict"


@pytest.mark.parametrize(
    "text",
    ["{{message.nothing}}", "x{{message.page.page_id.deeper}}", "{{match.title}}", "{{message.tags.0}}"],
)
def test_a_missing_field_is_not_an_empty_one(text: str) -> None:
    """A template that finds nothing says which reference it was."""
    with pytest.raises(UnexpandableError, match=r"\{\{m"):
        compiled(text).value(CONTEXT)


@pytest.mark.parametrize("text", ["{{message.page}}", "{{message.tags}}"])
def test_objects_go_into_neither_headers_nor_addresses(text: str) -> None:
    """Only a plain value can stand in a header or an address."""
    with pytest.raises(UnexpandableError, match="not a plain value"):
        compiled(text).text(CONTEXT)
    with pytest.raises(UnexpandableError, match="not a plain value"):
        compiled("http://h/" + text).uri(CONTEXT)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{globals.nothing}}", "globals has only message, match, target"),
        ("{{globals}}", "globals has only"),
        ("{{event}}", "starts with none of"),
        ("{{message.wiki_id", "must open a dotted path"),
        ("{{decode(message.x)}}", "must open a dotted path"),
        ("{{message..x}}", "must open a dotted path"),
    ],
)
def test_a_reference_that_cannot_work_is_refused(text: str, reason: str) -> None:
    """A wrong reference is found when the rules are read, not at the first event."""
    problems = Problems()
    compile_template(text, problems.at("uri"), target="http://h")
    assert [problem.path for problem in problems.found] == ["uri"]
    assert reason in problems.found[0].reason
