"""What other systems are given: change-propagation's rules and the streams, as rendered from our own."""

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mock_eventgate.streams import StreamConfigs
from revertrisk.dispatcher.rule_language.rule import Rule, Taken
from revertrisk.dispatcher.rule_language.rule_file import load_rules
from revertrisk.wiki.table import WikiTable

ROOT = Path(__file__).resolve().parents[3]
RENDER = ROOT / "charts" / "tools" / "render_platform.py"
COMMITTED = ROOT / "charts" / "platform"
VALUES = ROOT / "charts" / "revertrisk" / "examples" / "values" / "production.yaml"
EVENTS = ROOT.parent / "shared" / "data" / "events"
TARGET = "https://inference.example.org:30443"
MODELS = ("revertrisk-language-agnostic", "revertrisk-multilingual")


def render(values: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command over a file of values."""
    flags = ("--values", str(values), "--target", TARGET, "--output", str(folder))
    return subprocess.run([sys.executable, str(RENDER), *flags], check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the command has written its files."""
    folder = tmp_path_factory.mktemp("platform")
    done = render(VALUES, folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def values() -> dict[str, Any]:
    """Return the production values, to be changed."""
    read: dict[str, Any] = yaml.safe_load(VALUES.read_text())
    return read


def with_stream(service: dict[str, Any], stream: str) -> dict[str, Any]:
    """Return a copy of a service that emits to another stream."""
    changed = copy.deepcopy(service)
    for variable in changed["predictor"]["custom_env"]:
        if variable["name"] == "EVENTGATE_STREAM":
            variable["value"] = stream
    return changed


@pytest.fixture
def both_rules(rendered: Path, tmp_path: Path, model: str) -> tuple[Rule, Rule]:
    """change-propagation's rule and our own, both as our dispatcher reads them."""
    templates = yaml.safe_load((rendered / "change-propagation.yaml").read_text())
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"rules": [{"name": model, **templates[model]}]}, sort_keys=False))
    (theirs,) = load_rules(path, target=None)
    (ours,) = load_rules(ROOT / "revertrisk" / "dispatcher" / "rules" / f"{model}.yaml", target=TARGET)
    return theirs, ours


def test_what_is_committed_is_what_the_command_writes(rendered: Path) -> None:
    """charts/platform is up to date with the rules and the production values."""
    assert {path.name for path in rendered.iterdir()} == {path.name for path in COMMITTED.iterdir()}
    for path in rendered.iterdir():
        assert (COMMITTED / path.name).read_text() == path.read_text(), f"run {RENDER.name} again"


@pytest.mark.parametrize("model", MODELS)
def test_change_propagation_gets_our_rule(both_rules: tuple[Rule, Rule]) -> None:
    """Parsed by our dispatcher, the rendered rule is our own: topic, conditions, retries, limits."""
    theirs, ours = both_rules
    assert replace(theirs, cases=()) == replace(ours, cases=())
    for their_case, our_case in zip(theirs.cases, ours.cases, strict=True):
        assert replace(their_case, request=our_case.request) == our_case


@pytest.mark.parametrize("model", MODELS)
def test_both_select_the_same_events_and_send_the_same(both_rules: tuple[Rule, Rule]) -> None:
    """Of made-up events and real ones both take the same, not all and not none, and make the same requests."""
    theirs, ours = both_rules
    taken = refused = 0
    for event in events():
        their_verdict, our_verdict = theirs.judge(event), ours.judge(event)
        if isinstance(our_verdict, Taken) and isinstance(their_verdict, Taken):
            request = ours.request(our_verdict.case, event)
            assert theirs.request(their_verdict.case, event) == request
            assert str(request.url).startswith(TARGET)
            taken += 1
        else:
            assert their_verdict == our_verdict
            refused += 1
    assert taken
    assert refused


def test_eventgate_reads_the_streams(rendered: Path) -> None:
    """The stream configuration loads, and holds a live stream and its backfills' for each model."""
    configs = StreamConfigs.load(rendered / "stream-config.yaml")
    assert configs is not None
    streams = yaml.safe_load((rendered / "stream-config.yaml").read_text())
    live = [name for name in streams if not name.endswith(".backfill")]
    assert len(live) == len(MODELS)
    for name in live:
        assert streams[name] == {
            "schema_title": "mediawiki/page/prediction_classification_change",
            "destination_event_service": "eventgate-main",
            "canary_events_enabled": True,
        }
        assert f"{name}.backfill" in streams


def test_php_says_the_same(rendered: Path) -> None:
    """MediaWiki's form of the configuration has the same streams and settings."""
    php = (rendered / "stream-config.php").read_text()
    streams = yaml.safe_load((rendered / "stream-config.yaml").read_text())
    body = "\n".join(line for line in php.splitlines() if not line.startswith("//"))
    as_json = body.replace("'", '"').replace("=> [", ": {").replace("],", "},").replace("=>", ":")
    as_json = as_json.replace(",\n}", "\n}").rstrip().removesuffix(",")
    assert json.loads("{" + as_json + "}") == streams


def test_the_producer_of_a_backfill_adds_nothing(
    rendered: Path, tmp_path: Path, values: dict[str, Any]
) -> None:
    """Its stream is there already, beside the live one, and no rule sends it anything."""
    services = values["inference_services"]
    services["revertrisk-multilingual-backfill"] = with_stream(
        services["revertrisk-multilingual"],
        "mediawiki.page_revert_risk_multilingual_prediction_change.v1.backfill",
    )
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    folder = tmp_path / "out"
    assert render(path, folder).returncode == 0
    for file in rendered.iterdir():
        assert (folder / file.name).read_text() == file.read_text()


def test_a_shadow_gets_the_rule_of_its_model_under_its_own_name_and_host(
    rendered: Path, tmp_path: Path, values: dict[str, Any]
) -> None:
    """Else its events would go to the live producer, and the live one's rule would be written over."""
    services = values["inference_services"]
    services["revertrisk-multilingual-next"] = with_stream(
        services["revertrisk-multilingual"], "mediawiki.page_revert_risk_next.rc0"
    )
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    assert render(path, tmp_path).returncode == 0
    live = yaml.safe_load((rendered / "change-propagation.yaml").read_text())
    both = yaml.safe_load((tmp_path / "change-propagation.yaml").read_text())
    shadow = both.pop("revertrisk-multilingual-next")
    assert both == live
    assert shadow["exec"]["headers"].pop("host") == "revertrisk-multilingual-next.revertrisk.wikimedia.org"
    del live["revertrisk-multilingual"]["exec"]["headers"]["host"]
    assert shadow == live["revertrisk-multilingual"]


def test_c3_a_service_whose_name_yaml_reads_as_a_boolean_has_that_name(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    """C3: for helm each key is text."""
    path = tmp_path / "values.yaml"
    services = values["inference_services"]
    path.write_text(yaml.safe_dump({"inference_services": {True: services["revertrisk-multilingual"]}}))
    assert render(path, tmp_path).returncode == 0
    rules = yaml.safe_load((tmp_path / "change-propagation.yaml").read_text())
    assert list(rules) == ["true"]
    assert rules["true"]["exec"]["headers"]["host"].startswith("true.")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"inference_services": None}, "'inference_services' is a required property"),
        (
            {"inference_services": {"rr": {"role": "producer", "predictor": None}}},
            "inference_services.rr.predictor: None",
        ),
        ({"inference_services": []}, "inference_services: []"),
        (["a list"], "$: "),
    ],
    ids=["null", "null inside", "another type", "no map"],
)
def test_c2_values_that_the_chart_refuses_are_refused_by_their_path(
    tmp_path: Path, wrong: Any, named: str
) -> None:
    """C2: the same schema as helm's."""
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(wrong))
    answer = render(path, tmp_path)
    assert answer.returncode == 1
    assert f"\n{named}" in answer.stderr or f": {named}" in answer.stderr


def test_a_model_without_a_rule_is_named(tmp_path: Path, values: dict[str, Any]) -> None:
    """Values with a producer that no rule is for are refused by the rule's path."""
    service = values["inference_services"]["revertrisk-multilingual"]
    service["predictor"]["custom_env"][0]["value"] = "revertrisk-other"
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    answer = render(path, tmp_path)
    assert answer.returncode == 1
    assert "revertrisk/dispatcher/rules/revertrisk-other.yaml" in answer.stderr


def events() -> Iterator[dict[str, Any]]:
    """Yield page_change events: some of every kind that the rules tell apart, and the real captures."""
    page = {"page_id": 1, "page_title": "A", "namespace_id": 0, "is_redirect": False}
    for wiki in (
        "enwiki",
        "zh_yuewiki",
        "be_x_oldwiki",
        "commonswiki",
        "wikidatawiki",
        "enwiktionary",
        "testwiki",
    ):
        for kind in ("edit", "create", "move", "delete", "visibility_change"):
            for change in ({}, {"namespace_id": 1}, {"is_redirect": True}):
                yield {
                    "meta": {
                        "stream": "mediawiki.page_change.v1",
                        "domain": _domain(wiki),
                        "request_id": "r",
                    },
                    "wiki_id": wiki,
                    "page_change_kind": kind,
                    "page": {**page, **change},
                }
    for path in sorted(EVENTS.glob("*.json*")) if EVENTS.is_dir() else ():
        if path.suffix in {".json", ".jsonl"}:
            text = path.read_text()
            found = (
                [json.loads(line) for line in text.splitlines()]
                if path.suffix == ".jsonl"
                else [json.loads(text)]
            )
            yield from (event for event in found if isinstance(event, dict))


def _domain(wiki_id: str) -> str:
    wiki = WikiTable.load().by_id(wiki_id)
    return wiki.domain if wiki else f"{wiki_id}.example.org"
