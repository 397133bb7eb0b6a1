"""Reads rules from YAML, and refuses invalid ones with the path of each field and the reason.

A file is ``rules:`` with a list. The keys and units of a rule are change-propagation's: ``retry_delay`` and
``timeout`` are in milliseconds, and ``claim_ttl`` is in seconds. ``order_by`` is our own: a template, and events with
the same value of it are sent one after another.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from revertrisk.dispatcher.rule_language.matching import Condition, compile_condition
from revertrisk.dispatcher.rule_language.problems import Problem, Problems, RuleFileError
from revertrisk.dispatcher.rule_language.request import RequestTemplate
from revertrisk.dispatcher.rule_language.rule import PRODUCTION_RETRIES, Case, RetrySchedule, Rule, Sample
from revertrisk.dispatcher.rule_language.templates import (
    Template,
    compile_body,
    compile_template,
    refuse_missing_groups,
)
from revertrisk.runtime.yaml_documents import YamlError, parse_yaml

DEFAULT_CONCURRENCY = 30
DEFAULT_TIMEOUT_MS = 7 * 60 * 1000
DEFAULT_RETRY_ON = ["50x"]
DEFAULT_IGNORE = [412]

_CASE_KEYS = ("match", "match_not", "sample", "exec")
_RULE_KEYS = (
    "name",
    "topic",
    *_CASE_KEYS,
    "cases",
    "concurrency",
    "retry_on",
    "retry_limit",
    "retry_delay",
    "retry_factor",
    "ignore",
    "timeout",
    "claim_ttl",
    "order_by",
)
_EXEC_KEYS = ("method", "uri", "headers", "body")
_METHODS = ("get", "post", "put", "patch", "delete")
_STATUS = re.compile(r"[1-5x][0-9x]{2}")
_STATUSES = range(100, 600)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_DISPATCHER_HEADERS = ("x-request-id", "x-triggered-by")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]*")


def load_rules(path: Path, *, target: str | None, any_topic: bool = False) -> tuple[Rule, ...]:
    """Read a rule file.

    ``target`` is the value of ``{{globals.target}}``; a rule that uses it is invalid without a target. With
    ``any_topic`` the rules take events of any topic or stream.

    Raises:
        RuleFileError: the file cannot be read, or a rule in it is invalid; all reasons are listed.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8 text"
        raise RuleFileError(str(path), [Problem("", f"cannot be read: {reason}")]) from exc
    rules = parse_rules(text, name=str(path), target=target)
    return tuple(replace(rule, any_topic=any_topic) for rule in rules)


def parse_rules(text: str, *, name: str, target: str | None) -> tuple[Rule, ...]:
    """Parse the text of a rule file; ``name`` is its name in errors. Raises RuleFileError."""
    try:
        document = parse_yaml(text)
    except YamlError as exc:
        raise RuleFileError(name, [Problem("", f"not valid YAML: {exc}")]) from exc
    problems = Problems()
    rules: tuple[Rule, ...] = ()
    if not isinstance(document, dict) or not isinstance(document.get("rules"), list) or not document["rules"]:
        problems.at("rules").add("expected a list with at least one rule")
    else:
        _refuse_unknown(document, ("rules",), problems)
        inside = problems.at("rules")
        parsed = [_Reader(inside.at(i), target).rule(spec) for i, spec in enumerate(document["rules"])]
        rules = tuple(rule for rule in parsed if rule is not None)
        for i, spec in enumerate(document["rules"]):
            earlier = [other.get("name") for other in document["rules"][:i] if isinstance(other, dict)]
            if isinstance(spec, dict) and spec.get("name") in earlier:
                inside.at(i).at("name").add("another rule has this name")
    if problems.found:
        raise RuleFileError(name, problems.found)
    return rules


class _Reader:
    """Reads one rule. It adds errors to the problems and continues with a placeholder, to report all of them."""

    def __init__(self, problems: Problems, target: str | None) -> None:
        self._problems = problems
        self._target = target

    def rule(self, spec: Any) -> Rule | None:
        if not isinstance(spec, dict):
            self._problems.add("expected an object")
            return None
        _refuse_unknown(spec, _RULE_KEYS, self._problems)
        cases = tuple(case for case in self._cases(spec) if case is not None)
        rule = Rule(
            name=self._text(spec, "name"),
            topic=self._text(spec, "topic"),
            cases=cases,
            concurrency=int(self._number(spec, "concurrency", DEFAULT_CONCURRENCY, minimum=1, whole=True)),
            retry_on=self._statuses(spec, "retry_on", DEFAULT_RETRY_ON),
            ignore=self._statuses(spec, "ignore", DEFAULT_IGNORE),
            retries=RetrySchedule(
                limit=int(self._number(spec, "retry_limit", PRODUCTION_RETRIES.limit, minimum=0, whole=True)),
                delay_s=self._number(spec, "retry_delay", PRODUCTION_RETRIES.delay_s * 1000, minimum=0)
                / 1000,
                factor=self._number(spec, "retry_factor", PRODUCTION_RETRIES.factor, minimum=1),
            ),
            timeout_s=self._number(spec, "timeout", DEFAULT_TIMEOUT_MS, minimum=1) / 1000,
            claim_ttl_s=self._number(spec, "claim_ttl", 0, minimum=1) if "claim_ttl" in spec else None,
            order_by=self._order_by(spec.get("order_by"), cases) if "order_by" in spec else None,
        )
        return rule if cases else None

    def _cases(self, spec: dict[str, Any]) -> Sequence[Case | None]:
        if "cases" not in spec:
            return [self._case(spec, "", None, self._problems)]
        problems = self._problems.at("cases")
        for key in ("match", "match_not", "exec"):
            if key in spec:
                self._problems.at(key).add("a rule with cases must have this inside its cases")
        cases = spec["cases"]
        if not isinstance(cases, list) or not cases:
            problems.add("expected a list with at least one case")
            return []
        sample = self._sample(spec.get("sample"), self._problems.at("sample")) if "sample" in spec else None
        read = []
        for index, case in enumerate(cases):
            inner = problems.at(index)
            if not isinstance(case, dict):
                inner.add("expected an object")
                continue
            _refuse_unknown(case, _CASE_KEYS, inner)
            read.append(self._case(case, f"cases[{index}]", sample, inner))
        return read

    def _case(
        self, spec: dict[str, Any], path: str, sample: Sample | None, problems: Problems
    ) -> Case | None:
        match = compile_condition(spec["match"], problems.at("match")) if "match" in spec else None
        if "match" in spec and not isinstance(spec["match"], dict):
            problems.at("match").add("expected an object")
        if "sample" in spec:
            sample = self._sample(spec["sample"], problems.at("sample"))
        request = self._exec(spec.get("exec"), match, problems.at("exec"))
        if sample is not None:
            refuse_missing_groups(sample.hash_template.references, [_groups(match)], problems.at("sample"))
        match_not = tuple(self._match_not(spec, problems.at("match_not")))
        return Case(path, match, match_not, sample, request) if request is not None else None

    def _match_not(self, spec: dict[str, Any], problems: Problems) -> Iterator[Condition]:
        if "match_not" not in spec:
            return
        written = spec["match_not"]
        listed = enumerate(written) if isinstance(written, list) else [(None, written)]
        for index, part in listed:
            inner = problems if index is None else problems.at(index)
            if not isinstance(part, dict):
                inner.add("expected an object")
                continue
            condition = compile_condition(part, inner)
            if condition is not None:
                yield condition

    def _sample(self, spec: Any, problems: Problems) -> Sample | None:
        if not isinstance(spec, dict):
            problems.add("expected an object with rate and hash_template")
            return None
        _refuse_unknown(spec, ("rate", "hash_template"), problems)
        rate = spec.get("rate")
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate <= 1:
            problems.at("rate").add("expected a number over 0 and up to 1")
            return None
        template = spec.get("hash_template")
        if not isinstance(template, str):
            problems.at("hash_template").add("expected a text like {{message.meta.id}}")
            return None
        return Sample(rate, compile_template(template, problems.at("hash_template"), target=self._target))

    def _order_by(self, spec: Any, cases: Sequence[Case]) -> Template:
        problems = self._problems.at("order_by")
        if not isinstance(spec, str) or not spec:
            problems.add("expected a text like {{message.wiki_id}}:{{message.page.page_id}}")
            return Template(())
        template = compile_template(spec, problems, target=self._target)
        if cases:
            refuse_missing_groups(template.references, [_groups(case.match) for case in cases], problems)
        return template

    def _exec(self, spec: Any, match: Condition | None, problems: Problems) -> RequestTemplate | None:
        if not isinstance(spec, dict):
            problems.add("expected an object with at least a uri")
            return None
        _refuse_unknown(spec, _EXEC_KEYS, problems)
        method = spec.get("method", "get")
        if not isinstance(method, str) or method.lower() not in _METHODS:
            problems.at("method").add(f"expected one of {', '.join(_METHODS)}")
            method = "get"
        request = RequestTemplate(
            method=method.upper(),
            uri=self._uri(spec.get("uri"), problems.at("uri")),
            headers=dict(self._headers(spec.get("headers", {}), problems.at("headers"))),
            body=compile_body(spec.get("body"), problems.at("body"), target=self._target),
        )
        refuse_missing_groups(request.references, [_groups(match)], problems)
        return request

    def _uri(self, spec: Any, problems: Problems) -> Template:
        if not isinstance(spec, str) or not spec:
            problems.add("expected an address such as {{globals.target}}/v1/models/NAME%3Apredict")
            return Template(())
        template = compile_template(spec, problems, target=self._target)
        literal = "".join(part for part in template.parts if isinstance(part, str))
        if not _VISIBLE_ASCII.fullmatch(literal):
            problems.add("an address has no spaces and nothing beyond ASCII: percent-encode them")
        start = template.parts[0] if template.parts else ""
        if self._target is not None and not str(start).lower().startswith(("http://", "https://")):
            problems.add("expected http://, https:// or {{globals.target}} at its start")
        return template

    def _headers(self, spec: Any, problems: Problems) -> Iterator[tuple[str, Template]]:
        if not isinstance(spec, dict):
            problems.add("expected an object")
            return
        for name, value in spec.items():
            inner = problems.at(str(name))
            if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
                inner.add("not the name of a header")
            elif name.lower() in _DISPATCHER_HEADERS:
                inner.add("is set by the dispatcher")
            elif isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).isprintable():
                inner.add("expected a text on one line")
            else:
                yield name.lower(), compile_template(str(value), inner, target=self._target)

    def _text(self, spec: dict[str, Any], key: str) -> str:
        value = spec.get(key)
        if not isinstance(value, str) or not value or not value.isprintable():
            self._problems.at(key).add("expected a text")
            return ""
        return value

    def _number(
        self, spec: dict[str, Any], key: str, default: float, *, minimum: float, whole: bool = False
    ) -> float:
        value = spec.get(key, default)
        kind = int if whole else (int, float)
        # "not minimum <= value" is also true for NaN
        if isinstance(value, bool) or not isinstance(value, kind) or not minimum <= value < float("inf"):
            wanted = "a whole number" if whole else "a number"
            self._problems.at(key).add(f"expected {wanted} of at least {minimum}")
            return default
        return value

    def _statuses(self, spec: dict[str, Any], key: str, default: Sequence[int | str]) -> frozenset[int]:
        """Read ``{status: [502, 50x]}``, or only the list, or only one status."""
        problems = self._problems.at(key)
        written = spec.get(key, default)
        if isinstance(written, dict):
            _refuse_unknown(written, ("status",), problems)
            problems = problems.at("status")
            written = written.get("status")
        statuses: set[int] = set()
        for one in written if isinstance(written, list) else [written]:
            text = str(one)
            if isinstance(one, bool) or not _STATUS.fullmatch(text):
                problems.add("expected statuses such as 503 or '50x'")
                continue
            digits = re.compile(text.replace("x", "[0-9]"))
            statuses.update(status for status in _STATUSES if digits.fullmatch(str(status)))
        return frozenset(statuses)


def _groups(match: Condition | None) -> dict[str, Any]:
    return match.group_names() if match is not None else {}


def _refuse_unknown(spec: Mapping[Any, Any], known: Sequence[str], problems: Problems) -> None:
    for key in spec:
        if key not in known:
            problems.at(str(key)).add(f"unknown key (known: {', '.join(known)})")
