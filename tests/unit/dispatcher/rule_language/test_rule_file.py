import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from revertrisk.dispatcher import RetrySchedule, RuleFileError
from revertrisk.dispatcher.rule_language.rule import Rule, Taken
from revertrisk.dispatcher.rule_language.rule_file import load_rules, parse_rules

ROOT = Path(__file__).resolve().parents[4]
RULES = ROOT / "revertrisk" / "dispatcher" / "rules"
SHARED = ROOT.parent / "shared" / "data"
TARGET = "http://127.0.0.1:8080"

GOOD = {"name": "r", "topic": "t", "exec": {"uri": "http://h/"}}


def refused(*rules: Any, target: str | None = TARGET) -> list[tuple[str, str]]:
    with pytest.raises(RuleFileError) as caught:
        parse_rules(json.dumps({"rules": list(rules)}), name="rules.yaml", target=target)
    assert str(caught.value).startswith("rules.yaml: ")
    return [(problem.path, problem.reason) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("change", "path", "reason"),
    [
        (
            {"match": {"page_change_kind": "/(/"}},
            "rules[0].match.page_change_kind",
            "not a valid regular expression",
        ),
        ({"match": []}, "rules[0].match", "expected an object"),
        ({"match": None}, "rules[0].match", "expected"),
        (
            {"match_not": [{"a": 1}, {"b": "/*/"}]},
            "rules[0].match_not[1].b",
            "not a valid regular expression",
        ),
        ({"match_not": "canary"}, "rules[0].match_not", "expected an object"),
        ({"sample": {"rate": 1.5, "hash_template": "x"}}, "rules[0].sample.rate", "over 0 and up to 1"),
        ({"sample": {"rate": 0, "hash_template": "x"}}, "rules[0].sample.rate", "over 0 and up to 1"),
        ({"sample": {"rate": True, "hash_template": "x"}}, "rules[0].sample.rate", "over 0 and up to 1"),
        ({"sample": {"rate": 0.5}}, "rules[0].sample.hash_template", "expected a text"),
        ({"sample": 0.5}, "rules[0].sample", "rate and hash_template"),
        ({"concurrency": 0}, "rules[0].concurrency", "a whole number of at least 1"),
        ({"concurrency": 1.5}, "rules[0].concurrency", "a whole number"),
        ({"concurrency": "5"}, "rules[0].concurrency", "a whole number"),
        ({"concurrency": True}, "rules[0].concurrency", "a whole number"),
        ({"retry_on": {"status": ["5y"]}}, "rules[0].retry_on.status", "statuses such as 503"),
        ({"retry_on": {"status": 42}}, "rules[0].retry_on.status", "statuses such as 503"),
        ({"retry_on": {"code": 1}}, "rules[0].retry_on.code", "unknown key"),
        ({"ignore": None}, "rules[0].ignore", "statuses such as 503"),
        ({"retry_limit": -1}, "rules[0].retry_limit", "at least 0"),
        ({"retry_delay": float("inf")}, "rules[0].retry_delay", "a number"),
        ({"retry_factor": 0.5}, "rules[0].retry_factor", "at least 1"),
        ({"timeout": 0}, "rules[0].timeout", "at least 1"),
        ({"name": ""}, "rules[0].name", "expected a text"),
        ({"topic": 7}, "rules[0].topic", "expected a text"),
        ({"matches": {}}, "rules[0].matches", "unknown key"),
        ({"exec": None}, "rules[0].exec", "at least a uri"),
        ({"exec": [{"uri": "http://h/"}]}, "rules[0].exec", "at least a uri"),
        ({"exec": {}}, "rules[0].exec.uri", "expected an address"),
        ({"exec": {"uri": "ftp://h/"}}, "rules[0].exec.uri", "expected http://"),
        ({"exec": {"uri": "{{message.meta.uri}}"}}, "rules[0].exec.uri", "expected http://"),
        ({"exec": {"uri": "http://h/a b"}}, "rules[0].exec.uri", "percent-encode"),
        ({"exec": {"uri": "http://h/{{x}}"}}, "rules[0].exec.uri", "starts with none of"),
        ({"exec": {"uri": "http://h/{{match.a}}"}}, "rules[0].exec", "no such named group"),
        ({"exec": {"uri": "http://h/", "method": "brew"}}, "rules[0].exec.method", "expected one of"),
        (
            {"exec": {"uri": "http://h/", "headers": {"a b": "c"}}},
            "rules[0].exec.headers.a b",
            "name of a header",
        ),
        ({"exec": {"uri": "http://h/", "headers": {"a": "c\n"}}}, "rules[0].exec.headers.a", "one line"),
        (
            {"exec": {"uri": "http://h/", "headers": {"X-Request-Id": "1"}}},
            "rules[0].exec.headers.X-Request-Id",
            "set by the dispatcher",
        ),
        (
            {"exec": {"uri": "http://h/", "body": {"a": ["{{b}}"]}}},
            "rules[0].exec.body.a[0]",
            "starts with none of",
        ),
        (
            {"sample": {"rate": 0.5, "hash_template": "{{match.a}}"}},
            "rules[0].sample",
            "no such named group",
        ),
        ({"order_by": "{{globals.match.a}}"}, "rules[0].order_by", "no such named group"),
        ({"exec": {"uri": "http://h/", "body": {"a": [2**64]}}}, "rules[0].exec.body.a[0]", "a JSON value"),
        ({"cases": []}, "rules[0].exec", "inside its cases"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_with_the_path_of_its_field(
    change: dict[str, Any], path: str, reason: str
) -> None:
    """The reader of the error finds the line to correct."""
    problems = refused(GOOD | change)
    assert path in [found for found, _ in problems]
    assert any(reason in text for found, text in problems if found == path)


def test_all_problems_of_a_file_are_listed() -> None:
    """One run is enough to see everything that is wrong, in every rule."""
    paths = [path for path, _ in refused(GOOD | {"concurrency": 0, "topic": None}, GOOD | {"x": 1}, "rule")]
    assert sorted(paths) == sorted(
        ["rules[0].concurrency", "rules[0].topic", "rules[1].x", "rules[1].name", "rules[2]"]
    )


def test_a_problem_in_a_case_names_the_case() -> None:
    """Paths lead through cases too."""
    case = {"match": {"a": "/(/"}, "exec": {"uri": "http://h/"}}
    rule = {"name": "r", "topic": "t", "cases": [{"exec": {"uri": "http://h/"}}, case, 3, {"name": "x"}]}
    paths = [path for path, _ in refused(rule)]
    assert paths == [
        "rules[0].cases[1].match.a",
        "rules[0].cases[2]",
        "rules[0].cases[3].name",
        "rules[0].cases[3].exec",
    ]


def test_a_rule_that_names_the_target_needs_one() -> None:
    """Without --target the shipped rules are refused with a hint."""
    with pytest.raises(RuleFileError, match=r"rules\[0\]\.exec\.uri: uses .*--target URL"):
        load_rules(RULES / "revertrisk-multilingual.yaml", target=None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rules: [", "not valid YAML"),
        ("", "rules: expected a list"),
        ("rules: {}", "rules: expected a list"),
        ("rules: []", "rules: expected a list"),
        ("[]", "rules: expected a list"),
        ("rules:\n- name: r\n  topic: t\n  topic: u\n", "the key 'topic' occurs twice"),
        ("rules: !!python/object/apply:os.getcwd []", "not valid YAML"),
        ("[" * 5000, "not valid YAML"),
    ],
)
def test_a_file_that_is_no_list_of_rules_is_refused(text: str, reason: str) -> None:
    """What is wrong with the whole file is said as clearly as what is wrong with a field."""
    with pytest.raises(RuleFileError, match=reason):
        parse_rules(text, name="rules.yaml", target=TARGET)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A missing file and one that is no text are named."""
    with pytest.raises(RuleFileError, match=r"none\.yaml: cannot be read: No such file"):
        load_rules(tmp_path / "none.yaml", target=TARGET)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RuleFileError, match=r"binary\.yaml: cannot be read: not UTF-8"):
        load_rules(tmp_path / "binary.yaml", target=TARGET)


def test_what_a_rule_leaves_out_is_as_in_change_propagation() -> None:
    """Retry on 50x, ignore 412, two retries after 60 s and 360 s, seven minutes for a request."""
    (rule,) = parse_rules(json.dumps({"rules": [GOOD]}), name="x", target=None)
    assert rule.retry_on == frozenset(range(500, 510))
    assert rule.ignore == {412}
    assert rule.retries == RetrySchedule(limit=2, delay_s=60.0, factor=6.0)
    assert rule.timeout_s == 420.0


@pytest.mark.parametrize("written", [{"status": [502, "503"]}, [502, 503], {"status": ["50x", 502]}])
def test_statuses_are_written_as_numbers_or_with_an_x(written: Any) -> None:
    """An x stands for any digit, and a list by itself is a list of statuses."""
    (rule,) = parse_rules(json.dumps({"rules": [GOOD | {"retry_on": written}]}), name="x", target=None)
    assert {502, 503} <= rule.retry_on <= frozenset(range(500, 510))


def shipped(name: str) -> Rule:
    (rule,) = load_rules(RULES / f"{name}.yaml", target=TARGET)
    return rule


@pytest.mark.parametrize("name", ["revertrisk-language-agnostic", "revertrisk-multilingual"])
def test_the_shipped_rules_are_production_rules(name: str) -> None:
    """Concurrency 5, 502 and 503 only, after 60 s and 360 s, to the model's percent-encoded address."""
    rule = shipped(name)
    event = page_change()
    request = rule.request(rule.cases[0], event)
    assert (rule.name, rule.topic) == (name, "mediawiki.page_change.v1")
    assert (rule.concurrency, rule.retry_on, rule.ignore) == (5, frozenset({502, 503}), frozenset({412}))
    assert rule.retries == RetrySchedule(limit=2, delay_s=60.0, factor=6.0)
    assert (request.method, str(request.url)) == ("POST", f"{TARGET}/v1/models/{name}%3Apredict")
    assert request.headers == {
        "host": f"{name}.revertrisk.wikimedia.org",
        "content-type": "application/json",
    }
    assert request.body is not None
    assert json.loads(request.body) == {"event": event}


def page_change(**changes: Any) -> dict[str, Any]:
    page = {"namespace_id": 0, "is_redirect": False} | changes.pop("page", {})
    meta = {"stream": "mediawiki.page_change.v1", "domain": "en.wikipedia.org"} | changes.pop("meta", {})
    return {"wiki_id": "enwiki", "page_change_kind": "edit", "page": page, "meta": meta} | changes


@pytest.mark.parametrize(
    ("event", "agnostic", "multilingual"),
    [
        (page_change(), True, True),
        (page_change(page_change_kind="create"), True, True),
        (page_change(page_change_kind="move"), True, True),
        (page_change(page_change_kind="delete"), False, False),
        (page_change(page_change_kind="undelete"), False, False),
        (page_change(page_change_kind="visibility_change"), False, False),
        (page_change(page={"namespace_id": 1}), False, False),
        (page_change(page={"namespace_id": -1}), False, False),
        (page_change(page={"is_redirect": True}), False, False),
        (page_change(page=dict.fromkeys(["is_redirect"])), False, False),
        (page_change(meta={"stream": "eqiad.mediawiki.page_change.v1"}), False, False),
        (page_change(meta={"domain": "canary"}), False, False),
        (page_change(wiki_id="be_x_oldwiki", meta={"domain": "be-tarask.wikipedia.org"}), True, False),
        (page_change(wiki_id="zh_yuewiki", meta={"domain": "zh-yue.wikipedia.org"}), True, False),
        (page_change(wiki_id="testwiki", meta={"domain": "test.wikipedia.org"}), True, True),
        (page_change(wiki_id="test2wiki", meta={"domain": "test2.wikipedia.org"}), True, False),
        (page_change(wiki_id="enwiki", meta={"domain": "en.wikibooks.org"}), True, False),
        (page_change(wiki_id="commonswiki", meta={"domain": "commons.wikimedia.org"}), False, False),
        (page_change(wiki_id="metawiki", meta={"domain": "meta.wikimedia.org"}), False, False),
        (page_change(wiki_id="sourceswiki", meta={"domain": "wikisource.org"}), False, False),
        (page_change(wiki_id="specieswiki", meta={"domain": "species.wikimedia.org"}), False, False),
        (page_change(wiki_id="wikidatawiki", meta={"domain": "www.wikidata.org"}), False, False),
        (page_change(wiki_id="testwikidatawiki", meta={"domain": "test.wikidata.org"}), False, False),
        (page_change(wiki_id="enwiktionary", meta={"domain": "en.wiktionary.org"}), False, False),
        (page_change(wiki_id="newiki", meta={"domain": "ne.wikipedia.org"}), True, False),
        ({}, False, False),
    ],
)
def test_the_shipped_rules_take_what_production_takes(
    event: dict[str, Any], agnostic: bool, multilingual: bool
) -> None:
    """Both models' rules, field by field."""
    assert isinstance(shipped("revertrisk-language-agnostic").judge(event), Taken) is agnostic
    assert isinstance(shipped("revertrisk-multilingual").judge(event), Taken) is multilingual


def test_the_multilingual_rule_takes_the_47_wikis_of_its_model_and_no_other() -> None:
    """The wikis that production scores with the multilingual model are those that the rule lists, and testwiki."""
    scores = SHARED / "edits" / "revertrisk_official_scores_10k.csv.gz"
    wikis = SHARED / "wikis.tsv"
    if not scores.exists() or not wikis.exists():
        pytest.skip("needs the evaluation data beside the repository")
    with gzip.open(scores, "rt") as lines:
        scored = {row["wiki_db"] for row in csv.DictReader(lines)}
    assert len(scored) == 47
    with wikis.open() as lines:
        every = {row["database_code"]: row["domain_name"] for row in csv.DictReader(lines, delimiter="\t")}
    rule = shipped("revertrisk-multilingual")
    taken = {
        wiki
        for wiki, domain in every.items()
        if isinstance(rule.judge(page_change(wiki_id=wiki, meta={"domain": domain})), Taken)
    }
    assert taken == scored | {"testwiki"}


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan"])
def test_a_number_that_json_has_not_is_refused(number: str) -> None:
    """It would be sent as null, without a word."""
    text = f"rules: [{{name: r, topic: t, exec: {{uri: 'http://h/', body: {{a: {number}}}}}}}]"
    with pytest.raises(RuleFileError, match=r"rules\[0\]\.exec\.body\.a: expected a JSON value"):
        parse_rules(text, name="rules.yaml", target=None)
