"""D9: a rule's pattern is tried on hostile texts when it is read; the limit is in CPU time and is the product's own."""

import re
from importlib.resources import files

import pytest

from revertrisk.dispatcher.rule_language.matching import compile_condition
from revertrisk.dispatcher.rule_language.pattern_trial import hostile_texts
from revertrisk.dispatcher.rule_language.problems import Problems
from revertrisk.dispatcher.rule_language.rule_file import load_rules


@pytest.mark.parametrize(
    "pattern",
    [
        "/^(a+)+$/",
        r"/^https:\/\/(x+x+)+y/",
        r"/^(?!(\w|\d)+$).*wiki$/",
        "/(?:foo|foofoo)*bar$/",
        "/(.*a){20}b/",
    ],
)
def test_d9_a_pattern_that_takes_too_long_is_refused(pattern: str) -> None:
    """Repeats inside of repeats, alternatives that overlap, and both behind a beginning or in a look-around."""
    problems = Problems()
    assert compile_condition({"page": {"page_title": pattern}}, problems) is None
    (problem,) = problems.found
    assert str(problem).startswith("page.page_title: takes too long on some texts")


@pytest.mark.parametrize(
    "pattern",
    [
        r"/^(?:[a-z_]+)wiki$/",
        r"/\d+ [^ ]+ .*(bot|script)\b/i",
        r"/^https?:\/\/[^\/]+\/wiki\/(?<title>.+)$/",
        r"/^(\w)\1*(?=x)(?<!y)[\s\S]*?z{3,}$/m",
    ],
)
def test_d9_a_pattern_of_any_other_kind_is_taken(pattern: str) -> None:
    """Several repeats in a row, references, look-arounds."""
    problems = Problems()
    assert compile_condition({"a": pattern}, problems) is not None
    assert not problems.found


def test_d9_production_s_patterns_are_taken() -> None:
    """Its look-ahead tries five names at each place, and is linear all the same."""
    folder = files("revertrisk.dispatcher") / "rules"
    assert all(load_rules(file, target="http://x") for file in folder.iterdir())  # type: ignore[arg-type] # a folder


def test_d9_texts_lead_into_each_part_of_a_pattern() -> None:
    """The beginning of a pattern before what it repeats, and an end that does not fit."""
    texts = set(hostile_texts(re.compile(r"ab(?:cd[x-z]|e)+f")))
    assert {text[:7] for text in texts} >= {"abcdxcd", "abeeeee", "abzzzzz"}
    assert {text[-1] for text in texts} >= {"\0", "x", "e"}
