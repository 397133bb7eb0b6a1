import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from revertrisk.scoring.artifact import ArtifactError, load_metadata, save, shipped

NAME = "revertrisk-language-agnostic"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a copy of the shipped artefact that a test may break."""
    return Path(shutil.copytree(shipped(NAME), tmp_path / "model"))


def change(folder: Path, field: str, value: Any) -> None:
    """Set a field of the metadata, given by its dotted path; an index is a number."""
    file = folder / "metadata.json"
    content = json.loads(file.read_text())
    *path, last = field.split(".")
    target = content
    for step in path:
        target = target[int(step) if step.isdigit() else step]
    target[last] = value
    file.write_text(json.dumps(content))


def test_the_shipped_artefact_says_what_it_is() -> None:
    """The artefact in the package has our name and version and supports every wiki."""
    metadata = load_metadata(shipped(NAME))
    assert (metadata.name, metadata.version) == (NAME, "revertrisk-events-2")
    assert metadata.supported_wikis is None
    assert metadata.calibration.base_rate == 0.074


@pytest.mark.parametrize(("name", "most"), [(NAME, 1_000_000), ("revertrisk-multilingual", 8_000_000)])
def test_the_shipped_artefacts_are_small_enough_to_ship(name: str, most: int) -> None:
    """Weights, metadata and card together stay below 1 MB, with words below 8 MB."""
    assert sum(file.stat().st_size for file in shipped(name).iterdir()) < most


@pytest.mark.parametrize("name", ["no-such-model", "", "..", "../artifacts", "/etc"])
def test_an_unknown_model_is_not_shipped(name: str) -> None:
    """Asking for an artefact that does not come with the package fails, whatever the name looks like."""
    with pytest.raises(ArtifactError, match="no artefact of that name"):
        shipped(name)


@pytest.mark.parametrize("name", [NAME, "revertrisk-multilingual"])
def test_saving_what_was_loaded_changes_nothing(name: str, tmp_path: Path) -> None:
    """Metadata survives a round trip through its file, byte for byte."""
    metadata = load_metadata(shipped(name))
    save(tmp_path / "copy", metadata, (shipped(name) / "model.safetensors").read_bytes(), "# card")
    assert load_metadata(tmp_path / "copy") == metadata
    assert (tmp_path / "copy" / "metadata.json").read_bytes() == (
        shipped(name) / "metadata.json"
    ).read_bytes()


def test_changed_weights_are_refused(folder: Path) -> None:
    """Weights whose digest is not the one in the metadata are not used."""
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ArtifactError, match=r"model\.safetensors: sha256: differs"):
        load_metadata(folder)


@pytest.mark.parametrize("file", ["model.safetensors", "metadata.json"])
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    """An incomplete folder is refused with the name of the file that is missing."""
    (folder / file).unlink()
    with pytest.raises(ArtifactError, match=f"{file}: file: cannot be read"):
        load_metadata(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON in UTF-8"),
        (b"[]", "expected an object"),
        (b"null", "expected an object"),
        (b"", "is not JSON in UTF-8"),
        (b'"\xff"', "is not JSON in UTF-8"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"metrics": ' + b'{"a": ' * 100_000, "is nested too deeply"),
        (b'{"name": "a", "name": "b"}', "has 'name' twice"),
        (b'{"network": {"hidden": 1, "hidden": 1}}', "has 'hidden' twice"),
        (b'{"format": 1' + b"0" * 5000 + b"}", "is not JSON in UTF-8"),
        (b" " * (2**24 + 1), "is larger than"),
    ],
    ids=range(11),
)
def test_m3_metadata_that_is_no_object_is_refused(folder: Path, content: bytes, message: str) -> None:
    """M3: broken JSON, other JSON than an object, and what could be read in two ways."""
    (folder / "metadata.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"metadata\.json: file: {message}"):
        load_metadata(folder)


def test_m3_a_weights_file_beyond_all_bounds_is_not_read(folder: Path) -> None:
    """M3: its size is looked at first."""
    with (folder / "model.safetensors").open("ab") as weights:
        weights.truncate(2**30 + 1)
    with pytest.raises(ArtifactError, match=r"model\.safetensors: file: is larger than"):
        load_metadata(folder)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("format", 2, "format: expected 1"),
        ("format", True, "format: expected an integer"),
        ("name", "", "name: expected a string"),
        ("version", 1, "version: expected a string"),
        ("version", "a\nb", "version: expected at most 128 visible ASCII characters"),
        ("version", "1\x1b[2J", "version: expected at most 128 visible ASCII characters"),
        ("version", "a|b", "version: expected at most 128 visible ASCII characters"),
        ("version", "\u202e1", "version: expected at most 128 visible ASCII characters"),
        ("version", "1" * 129, "version: expected at most 128 visible ASCII characters"),
        ("name", "a model", "name: expected at most 128 visible ASCII characters"),
        ("network.hidden", 10**30, r"network\.hidden: expected "),
        ("network.members", 2**21, r"network\.members: expected at most 1"),
        ("thresholds.fpr_0.05", float("nan"), r"thresholds\.fpr_0\.05: expected a finite number"),
        ("thresholds.fpr_0.05", 1.5, r"thresholds\.fpr_0\.05: expected at most 1"),
        ("thresholds.fpr_0.05", -0.1, r"thresholds\.fpr_0\.05: expected at least 0"),
        ("calibration.base_rate", float("inf"), r"calibration\.base_rate: expected a finite number"),
        ("calibration.slope", float("-inf"), r"calibration\.slope: expected a finite number"),
        ("supported_wikis", "enwiki", "supported_wikis: expected an array"),
        ("supported_wikis", [1], r"supported_wikis\[0\]: expected a string"),
        ("network", None, "network: expected an object"),
        ("network.hidden", 0, r"network\.hidden: expected a number above 0"),
        ("calibration.slope", "1", r"calibration\.slope: expected a number"),
        ("calibration.offset", float("nan"), r"calibration\.offset: expected a finite number"),
        ("preprocessing.core", {}, r"preprocessing\.core: expected an array"),
        ("preprocessing.core.0.name", "hair_colour", r"preprocessing\.core\[0\]\.name: not a feature"),
        ("preprocessing.core.0.transform", "sqrt", r"preprocessing\.core\[0\]\.transform: expected log1p"),
        (
            "preprocessing.core.0.deviation",
            0,
            r"preprocessing\.core\[0\]\.deviation: expected a number above 0",
        ),
        ("thresholds.fpr_0.05", None, r"thresholds\.fpr_0"),
        ("training_data", [], "training_data: expected an object"),
        ("weights_sha256", None, "weights_sha256: expected a string"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected(
    folder: Path, field: str, value: Any, message: str
) -> None:
    """An error names the file, the field by its path, and what should stand there."""
    if field.startswith("thresholds."):
        change(folder, "thresholds", {"fpr_0.05": value})
    else:
        change(folder, field, value)
    with pytest.raises(ArtifactError, match=rf"metadata\.json: {message}"):
        load_metadata(folder)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("text.ngram_sizes", [1, 2], r"text\.ngram_sizes: expected \[2, 3, 4\]"),
        ("text.ngram_sizes", "2", r"text\.ngram_sizes: expected an array"),
        ("text.characters_read", 7, r"text\.characters_read: expected 4096"),
        ("text.known_ngrams", None, r"text\.known_ngrams: expected an integer"),
        ("text", [], "text: expected an object"),
    ],
)
def test_words_must_be_taken_as_they_were_in_training(
    tmp_path: Path, field: str, value: Any, message: str
) -> None:
    """A model whose n-grams are of another kind than this package takes is refused."""
    folder = Path(shutil.copytree(shipped("revertrisk-multilingual"), tmp_path / "model"))
    change(folder, field, value)
    with pytest.raises(ArtifactError, match=rf"metadata\.json: {message}"):
        load_metadata(folder)


def test_reading_metadata_does_not_import_torch() -> None:
    """Whoever only reads metadata or predictions does not pay for torch."""
    program = (
        "import sys\nfrom revertrisk import scoring\n"
        f"scoring.load_metadata(scoring.shipped({NAME!r}))\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
