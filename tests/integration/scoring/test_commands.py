"""The commands that make and check a model, run as a user runs them."""

import gzip
import json
from itertools import islice
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mock_mediawiki.page_changes import write_page_changes
from mock_mediawiki.samples import SampleHistory
from revertrisk.cli.models import app
from revertrisk.wiki.table import WikiTable
from tests.fakes.real_data import EDITS
from tests.fakes.wikis import page, serving_wikis

NAME = "revertrisk-multilingual"

needs_data = pytest.mark.usefixtures("shared")


def run(*arguments: str | Path) -> Result:
    """Run a command."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Label the sample pages' events."""
    events, path = tmp_path / "events.jsonl", tmp_path / "labels.jsonl.gz"
    wikis = WikiTable.load()
    with events.open("wb") as out:
        write_page_changes(SampleHistory.shipped(wikis), wikis, out)
    result = run("label", events, "--out", path)
    assert result.exit_code == 0, result.output
    assert " labelled: " in result.stdout
    return path


def test_a_report_that_cannot_be_written_is_named(labels: Path, tmp_path: Path) -> None:
    """By its file, without a traceback."""
    for flag in ("--html", "--scores"):
        result = run("evaluate", "--model", NAME, "--data", labels, flag, tmp_path / "missing" / "report")
        assert (result.exit_code, "Traceback" in result.output) == (2, False)
        assert result.stderr.endswith("missing is not a folder\n")


def test_recorded_events_are_labelled_and_evaluated(labels: Path, tmp_path: Path) -> None:
    """The page_change events of the sample pages become labels, those an evaluation, and that thresholds."""
    scores, html = tmp_path / "scores.jsonl", tmp_path / "report.html"
    result = run("evaluate", "--model", NAME, "--data", labels, "--json", "--scores", scores, "--html", html)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["model_name"] == NAME
    assert set(report["auc"]) == {"value", "low", "high"}
    assert report["n"] == sum(wiki["n"] for wiki in report["wikis"].values()) > 50
    assert report["positives"] > 10
    assert {"anonymous", "temporary", "edits_0_99", "edits_500_or_more"} <= report["groups"].keys()
    assert html.read_text(encoding="utf-8").count("<svg") == 5

    limits = run("thresholds", "--scores", scores, "--target-fpr", "0.15", "--smallest", "20", "--json")
    (found,) = json.loads(limits.stdout)
    assert (found["model_name"], found["limits"][0]["n"]) == (NAME, report["n"])
    assert found["limits"][0]["fpr"]["value"] <= 0.15


@needs_data
def test_thresholds_of_production_s_scores() -> None:
    """Production's scores give its thresholds, and are refused as those of our model."""
    file = EDITS / "revertrisk_official_scores_10k.csv.gz"
    result = run("thresholds", "--scores", file, "--target-fpr", "0.15", "--model", NAME)
    assert f"{NAME} production, at most 15.0%" in result.stdout
    assert "| dewiki | registered |" in result.stdout
    of_ours = ["--model", NAME, "--version", "revertrisk-events-2"]
    refused = run("thresholds", "--scores", file, "--target-fpr", "0.15", *of_ours)
    assert refused.exit_code == 2
    assert "found those of revertrisk-multilingual production" in refused.stderr


@needs_data
def test_a_report_for_people(tmp_path: Path) -> None:
    """Without --json the figures are tables, with the anonymous flag beside the model."""
    with gzip.open(EDITS / "vandalism_en_natural_rate.jsonl.gz") as lines:
        (tmp_path / "edits.jsonl").write_bytes(b"".join(islice(lines, 100)))
    result = run("evaluate", "--model", NAME, "--data", tmp_path / "edits.jsonl", "--format", "raw-vandalism")
    assert "AUC of the anonymous flag" in result.stdout
    wrong = run("evaluate", "--model", NAME, "--data", tmp_path / "edits.jsonl", "--format", "xml")
    assert (wrong.exit_code, "format: expected one of" in wrong.stderr) == (2, True)


def test_an_edit_is_explained(tmp_path: Path) -> None:
    """The parts of a score sum to its logit, and the insult is the place with the largest weight."""
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text("The town was first mentioned in 812.", encoding="utf-8")
    new.write_text("The town was first mentioned in 812 lol you suck.", encoding="utf-8")
    result = run("explain", "--model", NAME, "--old", old, "--new", new, "--user", "ip", "--json")
    found = json.loads(result.stdout)["explanation"]
    total = found["base"] + sum(each["amount"] for each in found["contributions"])
    assert total == pytest.approx(found["logit"], abs=1e-6)
    assert found["spans"][0]["inserted"] == " lol you suck"
    assert "inserted_text" in run("explain", "--model", NAME, "--old", old, "--new", new).stdout


def test_a_revision_of_a_wiki_is_explained() -> None:
    """A revision is fetched as a server fetches it, and a refusal says why there is nothing to explain."""
    with serving_wikis({"enwiki": [page(1, 10, 11), page(2, 20, 21, hidden=["text"])]}) as url:
        asked = ["explain", "--model", NAME, "--wiki-url", url, "--lang", "en", "--rev-id"]
        found = json.loads(run(*asked, "11", "--json").stdout)
        refused, missing = run(*asked, "21"), run(*asked, "999")
    assert (found["wiki_db"], found["revision_id"], found["model_name"]) == ("enwiki", 11, NAME)
    assert "It has had a school" in found["explanation"]["spans"][0]["inserted"]
    assert (refused.exit_code, "the text of the revision is hidden" in refused.stderr) == (2, True)
    assert (missing.exit_code, "the wiki has no such revision" in missing.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "--model", "revertrisk-magic", "--data", "FILE"], "no artefact of that name"),
        (
            ["explain", "--model", "nosuch", "--lang", "en", "--rev-id", "1"],
            (
                "--model: no artefact of that name comes with this package: expected one of "
                f"revertrisk-language-agnostic, {NAME}, or an artefact folder, not 'nosuch'"
            ),
        ),
        (["label", "CUT", "--out", "OUT"], "cut.jsonl.gz: the packed file is cut off"),
        (["label", "BROKEN", "--out", "OUT"], "broken.jsonl.gz: the packed file is damaged"),
        (["label", "FILE", "--out", "NOWHERE"], "missing/out: No such file or directory"),
        (
            ["evaluate", "--model", NAME, "--data", "BROKEN"],
            "broken.jsonl.gz: the packed file is damaged: expected JSON",
        ),
        (
            ["thresholds", "--scores", "BROKEN", "--target-fpr", "0.1"],
            "broken.jsonl.gz: the packed file is damaged: expected scores",
        ),
        (["evaluate", "--model", NAME, "--data", "FILE"], "expected labelled edits of one of these formats"),
        (["thresholds", "--scores", "FILE", "--target-fpr", "0.1"], "no scores"),
        (
            ["label", "FILE", "--out", "OUT"],
            "expected a page_change event on each line, or an XML export; line 1",
        ),
        (["label", "XML", "--out", "OUT"], "not a complete XML file"),
        (["label", "SITE", "--out", "OUT"], "give the wiki a name with --wiki-id"),
        (["explain", "--model", NAME, "--lang", "en"], "expected --lang and --rev-id, or --old and --new"),
        (["explain", "--model", NAME, "--lang", "xx", "--rev-id", "1"], "lang is not a wiki known here"),
        (["explain", "--model", NAME, "--lang", "en", "--rev-id", "0"], "rev_id must be an integer from 1"),
        (["train", "--data", "FOLDER", "--model", "m", "--out", "OUT"], "model name: expected one of"),
        (["train", "--data", "FOLDER", "--model", NAME, "--out", "OUT"], "data folder: missing"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, arguments: list[str], message: str) -> None:
    """A wrong model, file or folder ends with status 2 and the reason, without a traceback."""
    places = {
        "FILE": tmp_path / "empty.txt",
        "OUT": tmp_path / "out",
        "FOLDER": tmp_path,
        "CUT": tmp_path / "cut.jsonl.gz",
        "BROKEN": tmp_path / "broken.jsonl.gz",
        "NOWHERE": tmp_path / "missing" / "out",
        "XML": tmp_path / "cut",
        "SITE": tmp_path / "site",
    }
    places["XML"].write_text("<mediawiki><siteinfo>", encoding="utf-8")
    places["SITE"].write_text("<mediawiki><siteinfo/></mediawiki>", encoding="utf-8")
    places["FILE"].write_text("nothing of use", encoding="utf-8")
    packed = gzip.compress(b"{}\n" * 1000)
    places["CUT"].write_bytes(packed[:-12])
    places["BROKEN"].write_bytes(packed[:10] + b"\xff" * 20)
    result = run(*(places.get(argument, argument) for argument in arguments))
    assert (result.exit_code, "Traceback" in result.output) == (2, False)
    assert message in result.stderr
    assert not places["OUT"].exists()
