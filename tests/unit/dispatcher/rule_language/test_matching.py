from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revertrisk.dispatcher.rule_language.matching import Condition, compile_condition
from revertrisk.dispatcher.rule_language.problems import Problems

SCALARS = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())


def compiled(spec: Any) -> Condition:
    problems = Problems()
    condition = compile_condition(spec, problems)
    assert not problems.found
    assert condition is not None
    return condition


@pytest.mark.parametrize(
    ("match", "message", "matches"),
    [
        # Plain strings, numbers and booleans: strict equality.
        ({"a": "x"}, {"a": "x"}, True),
        ({"a": "x"}, {"a": "xx"}, False),
        ({"a": "x"}, {"a": "X"}, False),
        ({"a": "x"}, {}, False),
        ({"a": "x"}, {"a": None}, False),
        ({"a": "x"}, {"a": ["x"]}, False),
        ({"a": 0}, {"a": 0}, True),
        ({"a": 0}, {"a": 0.0}, True),
        ({"a": 0}, {"a": False}, False),
        ({"a": 0}, {"a": "0"}, False),
        ({"a": 0}, {"a": None}, False),
        ({"a": 0}, {}, False),
        ({"a": "0"}, {"a": 0}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": False}, {"a": False}, True),
        ({"a": False}, {"a": 0}, False),
        ({"a": False}, {"a": "false"}, False),
        ({"a": False}, {}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": ""}, {"a": ""}, True),
        ({"a": ""}, {}, False),
        # A string /…/flags is a regular expression, and the field must then be a string.
        ({"a": "/^x/"}, {"a": "xy"}, True),
        ({"a": "/^X/i"}, {"a": "xy"}, True),
        ({"a": "/^x/"}, {"a": "yx"}, False),
        ({"a": "/1/"}, {"a": 1}, False),
        ({"a": "/undefined/"}, {}, False),
        ({"a": "/null/"}, {"a": None}, False),
        ({"a": "/true/"}, {"a": True}, False),
        ({"a": "/x/"}, {"a": ["x"]}, False),
        # The string undefined means absent.
        ({"a": "undefined"}, {}, True),
        ({"a": "undefined"}, {"a": None}, False),
        ({"a": "undefined"}, {"a": "undefined"}, False),
        ({"a": "undefined"}, {"a": False}, False),
        ({"a": {"b": "undefined"}}, {"a": {}}, True),
        ({"a": {"b": "undefined"}}, {}, False),
        # Nested objects are ANDed.
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 2, "d": 3}}, True),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, False),
        ({"a": {"b": 1}, "c": 2}, {"a": {"b": 1}}, False),
        ({"a": {"b": 1}}, {"a": None}, False),
        ({"a": {"b": 1}}, {"a": "b"}, False),
        ({"a": {"b": 1}}, {"a": [{"b": 1}]}, False),
        # Each item of an array must be found in the message's array.
        ({"a": ["x"]}, {"a": ["y", "x"]}, True),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}, True),
        ({"a": ["x", "y"]}, {"a": ["x"]}, False),
        ({"a": ["x", "x"]}, {"a": ["x"]}, True),
        ({"a": ["/^x/"]}, {"a": ["y", "xy"]}, True),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}, {"b": 1, "c": 3}]}, True),
        ({"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 1}, {"c": 2}]}, False),
        ({"a": [0]}, {"a": [False]}, False),
        ({"a": ["x"]}, {"a": []}, False),
        ({"a": ["x"]}, {"a": "x"}, False),
        ({"a": ["x"]}, {"a": {"0": "x"}}, False),
        ({"a": []}, {"a": []}, True),
        ({"a": []}, {}, False),
    ],
)
def test_a_message_matches_as_in_change_propagation(match: Any, message: Any, matches: bool) -> None:
    """Every sentence of the vocabulary, by what it takes and what it leaves."""
    assert (compiled(match).mismatch(message) is None) is matches


def test_the_first_failed_condition_is_named_by_its_path() -> None:
    """A mismatch names the field and the condition, in the rule's order, and not the message's value."""
    condition = compiled({"page": {"namespace_id": 0, "is_redirect": False}, "wiki_id": "enwiki"})
    mismatch = condition.mismatch({"page": {"namespace_id": 0, "is_redirect": "Alice"}, "wiki_id": "x"})
    assert str(mismatch) == "page.is_redirect is not false"


def test_an_item_that_no_candidate_meets_is_named() -> None:
    """A list's mismatch says which item was not found, also in an empty list."""
    assert str(compiled({"tags": ["a", "b"]}).mismatch({"tags": ["a"]})) == "tags is not a list with 'b'"
    assert compiled({"tags": ["a"]}).mismatch({"tags": []})


def test_named_groups_are_captured_where_the_match_has_them() -> None:
    """Captures are nested as the match is, and a group that took no part is left out."""
    condition = compiled({"meta": {"uri": r"/^https:\/\/(?<host>[^\/]+)\/(?<rest>x)?/"}, "wiki_id": "enwiki"})
    message = {"meta": {"uri": "https://en.wikipedia.org/y"}, "wiki_id": "enwiki"}
    assert condition.mismatch(message) is None
    assert condition.captures(message) == {"meta": {"uri": {"host": "en.wikipedia.org"}}}
    assert condition.group_names() == {"meta": {"uri": {"host": None, "rest": None}}}


@given(SCALARS, SCALARS)
def test_strict_equality_is_equality_of_type_and_value(expected: Any, value: Any) -> None:
    """A plain value matches exactly the values that === would call the same."""
    problems = Problems()
    condition = compile_condition({"a": expected}, problems)
    if condition is None or (isinstance(expected, str) and (expected == "undefined" or expected[:1] == "/")):
        return
    same = expected == value and isinstance(expected, bool) == isinstance(value, bool)
    assert (condition.mismatch({"a": value}) is None) is same


@given(st.recursive(st.one_of(SCALARS, st.none()), lambda v: st.lists(v) | st.dictionaries(st.text(), v)))
def test_any_message_can_be_judged(message: Any) -> None:
    """No shape of a message raises."""
    condition = compiled({"a": {"b": ["/x/", 1]}, "c": "undefined", "d": "/(?<e>.)/"})
    for candidate in (message, {"a": message}, {"a": {"b": message}, "d": message}):
        condition.mismatch(candidate)


@pytest.mark.parametrize(
    ("match", "path", "reason"),
    [
        ({"a": None}, "a", "expected a string"),
        ({"a": {"b": "/(/"}}, "a.b", "not a valid regular expression"),
        ({"a": ["x", "/x/q"]}, "a[1]", "unsupported flag"),
        ({"a": {}}, "a", "is empty"),
        ({1: "x"}, "1", "must be a string"),
    ],
)
def test_a_condition_that_cannot_work_is_refused(match: Any, path: str, reason: str) -> None:
    """What cannot be matched is a problem at its own path."""
    problems = Problems()
    compile_condition(match, problems)
    (problem,) = problems.found
    assert problem.path == path
    assert reason in problem.reason
