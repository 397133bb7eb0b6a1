import textwrap
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from revertrisk.dispatcher.rule_language.rule import NotMatched, Rule, SampledOut, Taken
from revertrisk.dispatcher.rule_language.rule_file import parse_rules

TARGET = "http://host:8080"


def rule(text: str) -> Rule:
    head = "rules:\n  - name: r\n    topic: t\n"
    (parsed,) = parse_rules(head + textwrap.indent(textwrap.dedent(text), "    "), name="test", target=TARGET)
    return parsed


def verdict(text: str, event: dict[str, Any]) -> object:
    return judged(rule(text), event)


def judged(one: Rule, event: dict[str, Any]) -> object:
    return one.judge({"meta": {}} | event)


EXEC = "exec: {uri: 'http://h/'}\n"


def test_a_rule_without_a_match_takes_every_event() -> None:
    """No match means no condition."""
    assert isinstance(verdict(EXEC, {}), Taken)


def test_match_not_excludes_what_it_matches() -> None:
    """An event that the match takes is left out where match_not matches it."""
    text = EXEC + "match: {a: 1}\nmatch_not: {b: 2}\n"
    assert isinstance(verdict(text, {"a": 1}), Taken)
    assert verdict(text, {"a": 1, "b": 2}) == NotMatched("match_not[0]: the event matches it", "match_not[0]")
    assert verdict(text, {"b": 2}) == NotMatched("match: a is not 1", "a")


def test_a_list_of_match_not_is_ored() -> None:
    """Any one of the list is enough to leave an event out; inside one, all fields must match."""
    text = EXEC + "match_not: [{a: 1, b: 2}, {c: 3}]\n"
    assert isinstance(verdict(text, {"a": 1}), Taken)
    assert verdict(text, {"c": 3}) == NotMatched("match_not[1]: the event matches it", "match_not[1]")
    assert verdict(text, {"a": 1, "b": 2}) == NotMatched("match_not[0]: the event matches it", "match_not[0]")


def test_the_first_case_that_matches_wins() -> None:
    """Cases are tried in order, and only the first that matches makes a request."""
    cases = rule(
        """
        cases:
          - match: {a: 1}
            match_not: {b: 1}
            exec: {uri: 'http://h/first'}
          - match: {a: 1}
            exec: {uri: 'http://h/second'}
        """
    )

    def address(event: dict[str, Any]) -> str | None:
        taken = judged(cases, event)
        return str(cases.request(taken.case, event).url) if isinstance(taken, Taken) else None

    assert address({"a": 1}) == "http://h/first"
    assert address({"a": 1, "b": 1}) == "http://h/second"
    assert judged(cases, {"a": 2}) == NotMatched(
        "cases[0].match: a is not 1; cases[1].match: a is not 1", "a"
    )


def test_an_event_of_another_stream_is_not_for_the_rule() -> None:
    """The topic is the event's stream where the event names one."""
    assert isinstance(verdict(EXEC, {"meta": {"stream": "t"}}), Taken)
    assert isinstance(verdict(EXEC, {"meta": {}}), Taken)
    assert verdict(EXEC, {"meta": {"stream": "u"}}) == NotMatched(
        "topic: meta.stream is not 't'", "meta.stream"
    )


@pytest.mark.parametrize("event", [{}, {"meta": None}, {"meta": "x", "a": 1}])
def test_d7_an_event_without_meta_is_for_no_rule(event: dict[str, Any]) -> None:
    """D7: change-propagation drops it before any rule sees it, whatever the rule matches."""
    assert replace(rule(EXEC), any_topic=True).judge(event) == NotMatched("meta: the event has none", "meta")


@pytest.mark.parametrize(
    ("topic", "stream", "takes"),
    [
        ("t.v1", "u.v1", True),
        ("eqiad.t.v1", "u.v1", True),
        ("codfw.t.v1", None, True),
        ("main-eqiad.eqiad.t.v1", "u.v1", True),
        ("staging.t.v1", "t.v1", True),
        ("u.v1", "t.v1", False),
        ("eqiad.u.v1", "t.v1", False),
        ("eqiad.changeprop.retry.t.v1", "t.v1", False),
        ("changeprop.retry.t.v1", "t.v1", False),
        ("eqiad.not-t.v1", "t.v1", False),
        ("eqiad.t.v10", "t.v1", False),
        (None, "u.v1", False),
        (None, "t.v1", True),
    ],
)
def test_d7_on_kafka_the_topic_decides(topic: str | None, stream: str | None, *, takes: bool) -> None:
    """D7: as in change-propagation; the stream that an event names decides only where no topic is known."""
    event = {"meta": {} if stream is None else {"stream": stream}}
    one = replace(rule(EXEC), topic="t.v1")
    assert isinstance(one.judge(event, topic), Taken) is takes
    assert isinstance(replace(one, any_topic=True).judge(event, topic), Taken)


def test_an_event_older_than_the_claim_is_too_old() -> None:
    """By meta.dt, in seconds; without a limit, or without a time, an event is never too old."""
    now = datetime(2026, 1, 2, tzinfo=UTC)
    limited = rule(EXEC + "claim_ttl: 3600\n")
    assert limited.has_expired({"meta": {"dt": "2026-01-01T22:59:59Z"}}, now)
    assert not limited.has_expired({"meta": {"dt": "2026-01-01T23:00:01Z"}}, now)
    assert not limited.has_expired({"meta": {"dt": "yesterday"}}, now)
    assert not limited.has_expired({}, now)
    assert not rule(EXEC).has_expired({"meta": {"dt": "2001-01-01T00:00:00Z"}}, now)


def test_an_order_has_a_key_where_the_event_has_its_fields() -> None:
    """Events of one key go out in order; without the rule's wish, or the field, there is none."""
    ordered = rule(EXEC + "order_by: '{{message.wiki_id}}:{{message.page.page_id}}'\n")
    (case,) = ordered.cases
    assert ordered.order_key(case, {"wiki_id": "dewiki", "page": {"page_id": 7}}) == "dewiki:7"
    assert ordered.order_key(case, {"wiki_id": "dewiki"}) is None
    assert rule(EXEC).order_key(case, {"wiki_id": "dewiki", "page": {"page_id": 7}}) is None


def test_a_sample_takes_its_share_and_always_the_same_events() -> None:
    """The hash decides: about the rate, the same again, and a larger rate keeps the smaller one's events."""

    def sampled(rate: float) -> set[int]:
        sampling = rule(EXEC + f"sample: {{rate: {rate}, hash_template: '{{{{message.id}}}}'}}\n")
        verdicts = {number: judged(sampling, {"id": number}) for number in range(4000)}
        assert all(isinstance(one, Taken | SampledOut) for one in verdicts.values())
        return {number for number, one in verdicts.items() if isinstance(one, Taken)}

    tenth = sampled(0.1)
    assert 300 < len(tenth) < 500
    assert sampled(0.1) == tenth
    assert tenth < sampled(0.5)
    assert len(sampled(1)) == 4000


def test_a_case_that_is_sampled_out_does_not_fall_through() -> None:
    """The first case that matches decides, also when its sample leaves the event out."""
    text = """
        sample: {rate: 1.0, hash_template: '{{message.id}}'}
        cases:
          - match: {a: 1}
            sample: {rate: 0.000001, hash_template: '{{message.id}}'}
            exec: {uri: 'http://h/first'}
          - exec: {uri: 'http://h/second'}
        """
    assert verdict(text, {"a": 1, "id": 1}) == SampledOut("cases[0].sample")
    assert verdict(text, {"a": 1}) == SampledOut("cases[0].sample")  # nothing to decide by
    assert isinstance(verdict(text, {"id": 1}), Taken)


def test_a_request_uses_what_the_match_captured() -> None:
    """Named groups stand under match, by their path in the match and by their bare name."""
    captures = rule(
        r"""
        match: {meta: {uri: '/^https:\/\/(?<host>[^\/]+)\/wiki\/(?<title>.+)$/'}}
        exec:
          method: put
          uri: 'https://h/{{match.host}}/{{match.meta.uri.title}}'
          headers: {X-Host: '{{match.host}}', content-type: application/json}
          body: {title: '{{match.title}}', target: '{{globals.target}}', all: '{{match.meta}}'}
        """
    )
    event = {"meta": {"uri": "https://en.wikipedia.org/wiki/A/B"}}
    taken = judged(captures, event)
    assert isinstance(taken, Taken)
    request = captures.request(taken.case, event)
    assert request.method == "PUT"
    assert str(request.url) == "https://h/en.wikipedia.org/A%2FB"
    assert request.headers == {"x-host": "en.wikipedia.org", "content-type": "application/json"}
    assert request.body is not None
    assert orjson.loads(request.body) == {
        "title": "A/B",
        "target": TARGET,
        "all": {"uri": {"host": "en.wikipedia.org", "title": "A/B"}},
    }
