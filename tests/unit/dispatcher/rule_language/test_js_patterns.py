import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revertrisk.dispatcher.rule_language.js_patterns import PatternError, compile_pattern, is_pattern

PRODUCTION = "/^(?!.*(?:commons|meta|sources|species|wikidata)).*wiki$/"


@pytest.mark.parametrize(
    ("literal", "text", "matches"),
    [
        ("/wiki/", "enwiki", True),
        ("/wiki/", "commons", False),
        ("/^wiki/", "enwiki", False),
        ("/WIKI/i", "enwiki", True),
        ("/WIKI/", "enwiki", False),
        ("/é/i", "É", True),
        # $ and ^ hold the whole text between them, unless m is set.
        ("/wiki$/", "enwiki\n", False),
        ("/wiki$/m", "enwiki\nfoo", True),
        ("/wiki$/m", "enwiki\u2028foo", True),
        ("/^foo/m", "enwiki\rfoo", True),
        ("/^foo/", "enwiki\nfoo", False),
        # A dot stops at any line end, unless s is set.
        ("/a.b/", "a\u2029b", False),
        ("/a.b/", "a\rb", False),
        ("/a.b/s", "a\nb", True),
        ("/[.]/", ".", True),
        ("/[.]/", "x", False),
        ("/[$^]/", "^", True),
        # \d, \w and \b know ASCII only.
        (r"/^\d$/", "٣", False),
        (r"/^\w$/", "ä", False),
        (r"/^[\w-]+$/", "be-x", True),
        (r"/^[\w]$/", "ä", False),
        (r"/^\W$/", "ä", True),
        (r"/a\b/", "aä", True),
        (r"/^\s$/", "\u00a0", True),
        (r"/^https?:\/\/[^\/]+\/wiki\/(?<title>.+)$/", "https://en.wikipedia.org/wiki/Foo", True),
        (r"/^(?<a>.)\k<a>$/", "xx", True),
        (r"/^(.)\1$/", "xy", False),
        (r"/^(.)\12$/", "aa2", True),
        (r"/^\u0041\x42$/", "AB", True),
        ("/^a{,2}$/", "a{,2}", True),
        ("/^[[&|~]+$/", "[&|~", True),
        ("/b/y", "ab", False),
        ("/b/y", "ba", True),
        ("/b/gu", "ab", True),
        ("/(?<=en)wiki/", "enwiki", True),
        ("/(?<!en)wiki/", "enwiki", False),
        (PRODUCTION, "enwiki", True),
        (PRODUCTION, "zh_yuewiki", True),
        (PRODUCTION, "commonswiki", False),
        (PRODUCTION, "testwikidatawiki", False),
        (PRODUCTION, "enwiktionary", False),
    ],
)
def test_an_expression_means_what_it_means_in_javascript(literal: str, text: str, matches: bool) -> None:
    """A rule's expression matches what it matches in change-propagation."""
    assert (compile_pattern(literal).search(text) is not None) is matches


@pytest.mark.parametrize(
    ("literal", "reason"),
    [
        ("/a/v", "unsupported flag 'v'"),
        ("/a/x", "unsupported flag 'x'"),
        ("/a/I", "unsupported flag 'I'"),
        ("/wiki/Foo", "unsupported flag 'F'"),
        ("/a/ii", "flag 'i' is given twice"),
        ("/(/", "not a valid regular expression"),
        ("/*/", "not a valid regular expression"),
        ("/[a/", "not a valid regular expression"),
        ("/a{2,1}/", "not a valid regular expression"),
        ("/(?i)a/", "unsupported group '(?i)'"),
        ("/(?P<a>b)/", "unsupported group"),
        ("/(?>a)/", "unsupported group"),
        (r"/\Aa/", r"unsupported escape \A"),
        (r"/a\Z/", r"unsupported escape \Z"),
        (r"/\p{L}/u", r"unsupported escape \p"),
        (r"/\u{1F600}/u", r"unsupported escape \u"),
        (r"/[\D]/", r"unsupported escape \D in a class"),
        ("/[]/", "the empty class [] is not supported"),
        ("/[^]/", "the empty class [^] is not supported"),
        ("/a\\/", "ends in a lone backslash"),
    ],
)
def test_what_has_no_counterpart_is_refused(literal: str, reason: str) -> None:
    """An expression that would mean something else here is refused with the reason."""
    with pytest.raises(PatternError, match=re.escape(reason)):
        compile_pattern(literal)


@pytest.mark.parametrize(
    "text", ["wiki", "/", "//", "/wiki", "https://a/b", "/mediawiki/page/change/1.2.0", ""]
)
def test_other_strings_are_not_expressions(text: str) -> None:
    """Only /…/ with letters behind it is an expression."""
    assert not is_pattern(text)


@given(st.text(min_size=1, alphabet=st.characters(exclude_characters="/", exclude_categories=["Cs"])))
def test_any_text_either_compiles_or_is_refused_with_a_reason(body: str) -> None:
    """No expression whatever makes anything but a pattern or a PatternError."""
    with suppress(PatternError):
        compile_pattern(f"/{body}/")


@given(st.text())
def test_an_escaped_text_finds_itself(text: str) -> None:
    """Punctuation escaped as JavaScript wants it stands for itself."""
    escaped = "".join(f"\\{c}" if c in r"^$\.*+?()[]{}|/" else c for c in text)
    assert compile_pattern(f"/^(?:{escaped})$/").search(text)
