"""No text can stall a program: every regular expression and every parser of ours, held to a bound in work.

Work is counted in steps, not in seconds. The patterns are found, not listed: module-level ones by importing every
module, all others in its source. A pattern that is made at run time stands in `MADE_AT_RUN_TIME`, or this fails.

What is not counted: the methods of str and bytes, json, zlib, expat and httptools, all of them in C and linear in what
they are given; and the patterns of formats, which Rust matches in linear time. Patterns in the rules of an operator are
tried when the rules are read; those that are shipped are tried here as well.
"""

import ast
import importlib
import ipaddress
import pkgutil
import re
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.resources import files
from types import FrameType, ModuleType
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mock_mediawiki.catalogue import _category_link, _only_wikitext
from mock_mediawiki.namespaces import normalised_title
from mock_mediawiki.pages import line_diff
from mock_mediawiki.parameters import ApiError, Parameters
from revertrisk.consumer.prediction import version_order
from revertrisk.dispatcher.rule_language.js_patterns import compile_pattern, is_pattern
from revertrisk.dispatcher.rule_language.templates import Context, Template
from revertrisk.runtime.headers import retry_after_s
from revertrisk.runtime.instants import is_instant
from revertrisk.runtime.unpacking import Lines
from revertrisk.scoring import changes, characters, markup, ngrams, spans
from revertrisk.scoring.features import extract, without_section_names
from revertrisk.streams.sse import ServerSentEventParser
from revertrisk.wiki.history import is_redirect
from tests.fakes.edits import SAVED, edit
from tests.fakes.hostile_text import GROWTH, has_long_repeat, texts, worst_growth
from tests.fakes.step_counter import StepCounter

PACKAGES = ("mock_eventgate", "mock_mediawiki", "model_server", "revertrisk")

ANCHORED = frozenset({"match", "fullmatch"})
SEARCHING = frozenset({"search", "findall", "finditer", "sub", "subn", "split"})
FUNCTIONS = ANCHORED | SEARCHING | {"compile"}
EVERY_WAY = frozenset({"match", "fullmatch", "finditer"})


class Held(NamedTuple):
    """A pattern, where it is from, and the ways in which it is matched: ``match``, ``fullmatch``, ``finditer``."""

    where: str
    pattern: re.Pattern[Any]
    ways: frozenset[str]


MADE_AT_RUN_TIME: dict[str, tuple[Callable[[], list[re.Pattern[Any]]], str]] = {
    "revertrisk.dispatcher.rule_language.js_patterns.compile_pattern": (
        lambda: shipped_rule_patterns(),  # noqa: PLW0108 - it is defined below
        "finditer",
    ),
    "revertrisk.dispatcher.rule_language.pattern_trial.main": (
        lambda: shipped_rule_patterns(),  # noqa: PLW0108 - likewise
        "finditer",
    ),
    "revertrisk.dispatcher.rule_language.rule_file._Reader._statuses": (
        lambda: [re.compile("5[0-9][0-9]")],
        "fullmatch",
    ),
    "mock_eventgate.ajv._is_additional": (lambda: schema_patterns(), "finditer"),  # noqa: PLW0108 - likewise
    "mock_mediawiki.catalogue._category_link": (
        lambda: [_category_link(["Category", "Image talk"])],
        "finditer",
    ),
}
"""Where a pattern is put together inside a function: how to get those, or some like them, and how they are used."""

# Each is a known fault: what the counter must find.
SUPERLINEAR = [
    (r"/\*.*?\*/", re.DOTALL, "finditer"),
    (r"(a+)+$", 0, "match"),
    (r"(a|aa)+$", 0, "match"),
    (r"(\w+\s?)*$", 0, "match"),
    (r"\s+$", 0, "finditer"),
    (r"\s*#REDIRECT\s*:?\s*\[\[", re.IGNORECASE, "match"),
    (r"[!-~]+@[!-~]+\.[!-~]+", 0, "fullmatch"),
    (r"https?://[^/?#\s]+[\x21-\x7e]*", re.IGNORECASE, "fullmatch"),
    (r"\"server\":\{[^}]*\"port\":(\d+)", 0, "finditer"),
    (r"<(nowiki|pre)\b[^<>]*>.*?</\1\s*>", re.DOTALL | re.IGNORECASE, "finditer"),
    (r"[^\s/_]*[/_][^\s]*", 0, "finditer"),
    (r"(?:x|[a-z]*y)*z", 0, "match"),
    (rb"[0-9]+x", 0, "finditer"),
]


@cache
def modules() -> tuple[ModuleType, ...]:
    """Import every module of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(
            importlib.import_module(found.name)
            for name in PACKAGES
            for package in [importlib.import_module(name)]
            for found in [pkgutil.ModuleInfo(None, name, True), *_walk(package)]  # type: ignore[arg-type]
        )


def _walk(package: ModuleType) -> Iterator[pkgutil.ModuleInfo]:
    return pkgutil.walk_packages(package.__path__, f"{package.__name__}.")


class _Site(NamedTuple):
    """A call of a function of ``re`` in a source."""

    where: str
    call: ast.Call
    in_function: bool

    @property
    def constant(self) -> re.Pattern[Any] | None:
        """The pattern, if it is written out."""
        try:
            text = ast.literal_eval(self.call.args[0])
        except ValueError:
            return None
        names = {node.attr for each in self.call.args[1:] for node in ast.walk(each) if _is_re(node)}
        names |= {node.attr for each in self.call.keywords for node in ast.walk(each) if _is_re(node)}
        flags = 0
        for name in names:
            value = getattr(re, name)
            flags |= (
                value if isinstance(value, re.RegexFlag) else 0
            )  # a replacement may call a function of re
        return re.compile(text, flags)

    @property
    def ways(self) -> frozenset[str]:
        """How it is matched."""
        name = self.call.func.attr  # type: ignore[attr-defined] # found by it
        return EVERY_WAY if name == "compile" else _ways({name})


def _is_re(node: ast.AST) -> Any:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "re"


def _ways(methods: set[str]) -> frozenset[str]:
    return frozenset(methods & ANCHORED) | ({"finditer"} if methods & SEARCHING else frozenset())


def source_of(module: ModuleType) -> ast.Module:
    """Parse the source of a module."""
    assert module.__file__ is not None
    with open(module.__file__, encoding="utf-8") as file:  # noqa: PTH123 - a path of the import system
        return ast.parse(file.read())


def sites(module: ModuleType) -> Iterator[_Site]:
    """Find the calls of functions of ``re`` in a module."""

    def visit(node: ast.AST, names: tuple[str, ...], *, in_function: bool) -> Iterator[_Site]:
        for child in ast.iter_child_nodes(node):
            inner, inside = names, in_function
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner, inside = (*names, child.name), inside or not isinstance(child, ast.ClassDef)
            if isinstance(child, ast.Call) and _is_re(child.func) and child.func.attr in FUNCTIONS:  # type: ignore[attr-defined]
                yield _Site(".".join(inner), child, inside)
            yield from visit(child, inner, in_function=inside)

    yield from visit(source_of(module), (module.__name__,), in_function=False)


def patterns_in(value: Any, name: str, depth: int = 3) -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Find compiled patterns in a value, in containers and as attributes of classes as well."""
    if isinstance(value, re.Pattern):
        yield name, value
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from patterns_in(each, f"{name}[]", depth - 1)
    elif depth and isinstance(value, dict):
        for each in value.values():
            yield from patterns_in(each, f"{name}[]", depth - 1)
    elif depth and isinstance(value, type) and value.__module__.partition(".")[0] in PACKAGES:
        for key, each in vars(value).items():
            yield from patterns_in(each, f"{name}.{key}", depth - 1)


def uses() -> dict[tuple[str, str], set[str]]:
    """Return by module and name which methods of a constant are called; ``any`` where it is handed on."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for module in modules():
        tree = source_of(module)
        called = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
                name = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
                found[_owner(module, name), name].add(node.attr)
                called.add(node.value)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node not in called:
                found[_owner(module, node.id), node.id].add("any")
    return found


def _owner(module: ModuleType, name: str) -> str:
    """Return whose name it is: the module's own, or anybody's."""
    return module.__name__ if name.startswith("_") else ""


def shipped_rule_patterns() -> list[re.Pattern[Any]]:
    found = []
    for file in (files("revertrisk.dispatcher") / "rules").iterdir():
        found += [
            compile_pattern(text) for text in _strings(yaml.safe_load(file.read_text())) if is_pattern(text)
        ]
    return found


def schema_patterns() -> list[re.Pattern[Any]]:
    found: list[str] = []
    for file in _files(files("schemas")):
        if file.name.endswith(".yaml"):
            for schema in _objects(yaml.safe_load(file.read_text())):
                found += [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
                found += schema.get("patternProperties", {})
    return [re.compile(text) for text in found]


def _files(folder: Any) -> Iterator[Any]:
    for each in folder.iterdir():
        yield from _files(each) if each.is_dir() else [each]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(inner)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(inner)


@cache
def all_patterns() -> tuple[Held, ...]:
    """Find every pattern of ours, once, with all ways in which it is matched."""
    used = uses()
    found: dict[tuple[Any, int], Held] = {}

    def add(where: str, pattern: re.Pattern[Any], ways: frozenset[str]) -> None:
        key = pattern.pattern, pattern.flags
        before = found.get(key, Held(where, pattern, frozenset()))
        found[key] = Held(before.where, pattern, before.ways | ways)

    for module in modules():
        for name, value in vars(module).items():
            for where, pattern in patterns_in(value, name):
                methods = used.get((_owner(module, name), name), set()) if where == name else {"any"}
                add(f"{module.__name__}.{where}", pattern, EVERY_WAY if "any" in methods else _ways(methods))
        for site in sites(module):
            if site.in_function and site.constant is not None:
                add(site.where, site.constant, site.ways)
    for where, (build, way) in MADE_AT_RUN_TIME.items():
        for pattern in build():
            add(where, pattern, frozenset({way}))
    return tuple(found.values())


@pytest.mark.parametrize(("text", "flags", "way"), SUPERLINEAR)
def test_m1_the_counter_finds_known_faults(text: Any, flags: int, way: str) -> None:
    """What is known to be quadratic, or worse, is found to be: so the other tests can fail."""
    assert worst_growth(re.compile(text, flags), way)[0] > GROWTH


def test_m1_no_pattern_is_missed() -> None:
    """Every call of ``re`` in the sources is a pattern that is found below, or stands in the table."""
    held = {held.pattern.pattern for held in all_patterns()}
    assert len(held) > 60
    made = set()
    for module in modules():
        for site in sites(module):
            pattern = site.constant
            if pattern is not None:
                assert pattern.pattern in held, f"{site.where}: {pattern.pattern}"
            elif site.in_function:
                made.add(site.where)
    assert made == MADE_AT_RUN_TIME.keys()


def test_m1_no_other_way_to_a_pattern() -> None:
    """Nothing takes functions out of ``re``, renames it, or uses another engine."""
    for module in modules():
        for node in ast.walk(source_of(module)):
            if isinstance(node, ast.Import):
                for name in node.names:
                    assert name.name not in {"regex", "re2", "fnmatch"}, module.__name__
                    assert name.name != "re" or name.asname is None, module.__name__
            elif isinstance(node, ast.ImportFrom):
                assert node.module not in {"re", "regex", "re2", "fnmatch"}, module.__name__
            elif isinstance(node, ast.keyword):
                assert node.arg != "regex_engine", module.__name__


def test_m1_every_pattern_is_linear() -> None:
    """On the worst text that the pattern itself suggests, twice the length takes twice the steps."""
    slow = []
    for held in all_patterns():
        # A pattern that ends after a few characters takes so many steps from each place, whatever the text.
        if has_long_repeat(held.pattern):
            for way in sorted(held.ways):
                growth, text = worst_growth(held.pattern, way)
                if growth > GROWTH:
                    slow.append((held.where, way, growth, text))
    assert slow == []


def test_m1_the_counter_finds_what_re_finds() -> None:
    """The counted matcher is one: on short texts of the same make it has the results of ``re``."""
    for held in all_patterns():
        counter = StepCounter(held.pattern)
        for number, text in enumerate(texts(held.pattern)):
            if number == 12:
                break
            for way in sorted(EVERY_WAY):
                found = (
                    held.pattern.finditer(text) if way == "finditer" else [getattr(held.pattern, way)(text)]
                )
                expected = [each.span() for each in found if each is not None]
                assert counter.spans(text, way)[0] == expected, (held.where, way, text)


def features_of(new: str, *, old: str = "x", comment: str = "") -> object:
    return extract(edit(old, new, comment=comment))


def fed(parser: Callable[[], Any], piece: bytes, number: int) -> None:
    """Feed a parser the same piece again and again."""
    feeding = parser()
    for _ in range(number):
        list(feeding.feed(piece))


def quietly(call: Callable[[], object], *errors: type[Exception]) -> None:
    with suppress(*errors):
        call()


# Each takes a size: what a parser does with a text of that many pieces. All but the two alignments below, which are
# bounded instead. What a parser leaves to `re` is tried above.
PARSERS: dict[str, Callable[[int], object]] = {
    "features, many short words": lambda n: features_of("a " * n),
    "features, words put in between": lambda n: features_of("a x " * n, old="a " * n),
    "features, many lines": lambda n: features_of("a\n" * n, old="b\n" * n),
    "features, every line new": lambda n: features_of("\n".join(map(str, range(n))), old="x\n" * n),
    "features, one word": lambda n: features_of("a" * n),
    "features, marks": lambda n: features_of("!" * n),
    "features, header rows": lambda n: features_of("!a\n" * n),
    "features, links that do not end": lambda n: features_of("[[" * n),
    "features, tags that do not end": lambda n: features_of("<a " * n),
    "features, distinct characters": lambda n: features_of("".join(map(chr, range(0x4E00, 0x4E00 + n)))),
    "features, sections that do not end": lambda n: features_of("y", comment="/* " * n),
    "features, sections that end": lambda n: features_of("y", comment="/**/" * n),
    "sections that overlap": lambda n: without_section_names("/*/" * n),
    "changed lines": lambda n: changes.between("a\nb\n" * n, "b\na\n" * n),
    "words of changed lines": lambda n: changes.words(changes.between("a b " * n, "b a " * n)),
    "markup": lambda n: markup.count("=[[<ref {|''\n" * n),
    "characters": lambda n: characters.describe("a\u0431" * n),
    "runs of characters": lambda n: characters.longest_run("aab" * n),
    "pairs of characters": lambda n: characters.containment("ab" * n, "ba" * n),
    "n-grams": lambda n: ngrams.hashes("a b" * n),
    "a line of an event stream that does not end": lambda n: fed(ServerSentEventParser, b"data", n),
    "an event that does not end": lambda n: fed(ServerSentEventParser, b"data: x\n", n),
    "lines of an event stream in bytes": lambda n: fed(ServerSentEventParser, b"\r", n),
    "a line of a file that does not end": lambda n: fed(Lines, b"x", n),
    "empty lines of a file": lambda n: fed(Lines, b"\n\n", n),
    "an address of a rule": lambda n: Template((("message", "title"),)).uri(Context({"title": "ä/" * n}, {})),
    "an instant": lambda n: is_instant("2026-01-01T00:00:00." + "1" * n + "+00:00"),
    "a name that is nearly an address": lambda n: quietly(lambda: ipaddress.ip_address("1:" * n), ValueError),
    "a delay": lambda n: retry_after_s("1 " * n, SAVED),
    "a model version": lambda n: version_order("1a" * n),
    "a redirect": lambda n: is_redirect("#REDIRECT" + " " * n),
    "elements that do not end": lambda n: _only_wikitext("<nowiki><pre>" * n),
    "elements that end": lambda n: _only_wikitext("<nowiki></nowiki><!---->" * n),
    "a title": lambda n: normalised_title("_ " * n),
    "values of a parameter": lambda n: quietly(lambda: Parameters({"a": "b|" * n}).values("a"), ApiError),
}


def work(call: Callable[[], object]) -> int:
    """Count the instructions of the interpreter that a call takes."""
    steps = 0

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        nonlocal steps
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        steps += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return steps


@pytest.mark.parametrize("parse", PARSERS.values(), ids=PARSERS)
def test_m1_every_parser_is_linear(parse: Callable[[int], object]) -> None:
    """Twice the text takes twice the instructions, and not four times as many."""
    parse(600)  # what is made once, or remembered, is
    assert work(lambda: parse(600)) <= 2.2 * work(lambda: parse(300)) + 500


def words_between(word: str) -> str:
    """Return a text half of whose words are the same: the worst for an alignment."""
    return "".join(f"a {word}{number} " for number in range(150))


def test_m1_an_alignment_ends_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Places of an explanation, and words and lines of a diff page: what is not aligned in time counts as changed."""
    for module, bound, align in (
        (spans, "_STEPS", spans.changed_spans),
        (line_diff, "_MAX_STEPS", line_diff.line_diff),
    ):
        for shape in (words_between, lambda word: words_between(word).replace(" ", "\n")):
            monkeypatch.setattr(module, bound, 2_000)
            little = work(lambda: align(shape("x"), shape("y")))  # noqa: B023 - at once
            monkeypatch.setattr(module, bound, 4_000)
            more = work(lambda: align(shape("x"), shape("y")))  # noqa: B023 - at once
            assert more - little <= 2_000 * 25
            assert align(shape("x"), shape("y"))


OLD_SECTION_NAME = re.compile(r"/\*.*?\*/", re.DOTALL)


@given(st.text(alphabet="/* a\n", max_size=24))
def test_m1_sections_are_cut_out_as_before(comment: str) -> None:
    """Models were trained with a pattern, on features that are the same without it."""
    plain = without_section_names(comment)
    assert plain == OLD_SECTION_NAME.sub("", comment)
    assert (len(plain) < len(comment)) is (OLD_SECTION_NAME.search(comment) is not None)


REWRITTEN = [
    (
        "revertrisk.dispatcher.rule_language.request._ADDRESS",
        r"https?://[^/?#\s]+[\x21-\x7e]*",
        "fullmatch",
        "http://",
        "as/?#: ä",
    ),
    (
        "revertrisk.wiki.history._REDIRECT",
        r"\s*#REDIRECT\s*:?\s*\[\[",
        "match",
        "#REDIRECT",
        " \n:[a]",
    ),
    (
        "revertrisk.runtime.headers._CONTACT",
        r"[!-~]+@[!-~]+\.[!-~]+|https?://[!-~]+",
        "fullmatch",
        "",
        "a@.-/ ",
    ),
]


@pytest.mark.parametrize(("where", "old", "way", "start", "alphabet"), REWRITTEN)
@given(data=st.data())
def test_m1_a_rewritten_pattern_means_what_it_meant(
    where: str, old: str, way: str, start: str, alphabet: str, data: st.DataObject
) -> None:
    """On short texts the linear pattern finds what the one before it found."""
    text = start + data.draw(st.text(alphabet=alphabet, max_size=12))
    module, _, name = where.rpartition(".")
    new = getattr(importlib.import_module(module), name)
    expected, found = getattr(re.compile(old, new.flags), way)(text), getattr(new, way)(text)
    assert (found and found.groups(), found and found.span()) == (
        expected and expected.groups(),
        expected and expected.span(),
    )
