"""A lake is opened with its own key, in a folder of its own and in a known format; all else is refused in words."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from revertrisk.lake.errors import LakeConfigurationError, LakeError
from revertrisk.lake.open_or_create import make_lake, open_lake
from revertrisk.lake.schema import PLACE, REVISION
from revertrisk.lake.tables import Lake


def test_the_key_lies_outside_and_is_its_owners(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new lake makes its key with mode 600, by default below the user's data folder, under the lake's id."""
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    other = make_lake(str(tmp_path / "other"), None)
    assert (tmp_path / "data/revertrisk/lake-keys" / other.lake_id).is_file()
    assert other.lake_id != lake.lake_id
    again = make_lake(str(tmp_path / "other"), None)
    assert again.lake_id == other.lake_id


def test_an_actor_key_is_of_wiki_and_name(lake: Lake) -> None:
    """Equal names in other forms are one actor; another wiki's user of the same name is another."""
    keys = lake.actor_keys
    assert keys is not None
    assert keys.of("enwiki", "Ame\u0301lie") == keys.of("enwiki", "Am\u00e9lie")
    assert keys.of("enwiki", "2001:DB8:0:0:0:0:0:1") == keys.of("enwiki", "2001:db8::1")
    assert len({keys.of("enwiki", "A"), keys.of("dewiki", "A"), keys.of("enwiki", "B")}) == 3


def _no_key(folder: Path) -> None:
    (folder / "key").unlink()


def _other_key(folder: Path) -> None:
    (folder / "key").write_text("ab" * 32)


def _no_hex(folder: Path) -> None:
    (folder / "key").write_text("a password")


def _open_key(folder: Path) -> None:
    (folder / "key").chmod(0o644)


def _newer_format(folder: Path) -> None:
    log = folder / "lake/place/_delta_log/00000000000000000000.json"
    log.write_text(log.read_text().replace('"revertrisk.format":"1.0"', '"revertrisk.format":"2.0"'))


def _older_format(folder: Path) -> None:
    log = folder / "lake/place/_delta_log/00000000000000000000.json"
    log.write_text(log.read_text().replace('"revertrisk.format":"1.0"', '"revertrisk.format":"0.9"'))


def _other_tables(folder: Path) -> None:
    log = folder / "lake/place/_delta_log/00000000000000000000.json"
    log.write_text(log.read_text().replace("revertrisk.lakeId", "someone.else"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_no_key, "is missing; set LAKE_KEY_FILE to its file"),
        (_other_key, "this is the key of another lake"),
        (_no_hex, "expected a key of 64 hexadecimal digits"),
        (_open_key, "every user can read the lake's key; use chmod 600"),
        (
            _newer_format,
            "the lake has format 2.0, this program supports 1.0; use a version that supports format 2",
        ),
        (
            _older_format,
            "the lake has format 0.9, this program supports 1.0; use a version that supports format 0",
        ),
        (_other_tables, "are not a lake of this program"),
    ],
)
def test_what_does_not_fit_is_refused(
    lake: Lake, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    """A key or a format that does not fit is a configuration error (78) that says what to do."""
    spoil(tmp_path)
    with pytest.raises(LakeConfigurationError, match=words) as refused:
        make_lake(lake.root, str(tmp_path / "key"))
    assert refused.value.exit_status == 78


def test_a_newer_minor_format_is_read(lake: Lake, tmp_path: Path) -> None:
    """Minor formats only add columns."""
    log = tmp_path / "lake/place/_delta_log/00000000000000000000.json"
    log.write_text(log.read_text().replace('"revertrisk.format":"1.0"', '"revertrisk.format":"1.7"'))
    assert open_lake(lake.root).lake_id == lake.lake_id


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    """A folder with something else in it, a file, and a key inside of the lake are refused, and nothing is made."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.txt").write_text("")
    with pytest.raises(LakeConfigurationError, match=r"but it contains 'thesis.txt'"):
        make_lake(str(tmp_path / "home"), str(tmp_path / "key"))
    with pytest.raises(LakeConfigurationError, match="expected a folder"):
        make_lake(str(tmp_path / "home/thesis.txt"), str(tmp_path / "key"))
    with pytest.raises(LakeConfigurationError, match="must not be in the lake's own folder"):
        make_lake(str(tmp_path / "new"), str(tmp_path / "new/key"))
    with pytest.raises(LakeConfigurationError, match=r"expected a folder or s3://BUCKET/PREFIX"):
        make_lake("gs://bucket/lake", str(tmp_path / "key"))
    with pytest.raises(LakeConfigurationError, match="there is no lake here"):
        open_lake(str(tmp_path / "new"))
    assert [path.name for path in tmp_path.rglob("*")] == ["home", "thesis.txt"]


@pytest.mark.parametrize("name", ["a*b", "a?b", "a[1]", "50%20", "a\\b", "a|b", "a^b", "a\nb", "day=2"])
def test_a_path_with_a_special_character_is_refused(tmp_path: Path, name: str) -> None:
    """The engine or deltalake would read other files than those of the path."""
    with pytest.raises(LakeConfigurationError, match=r"expected (a path without|no part such as day=2)"):
        make_lake(str(tmp_path / name / "lake"), str(tmp_path / "key"))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_table_is_said(lake: Lake) -> None:
    """A table whose log cannot be read is an error of the lake (1), in one line that names it."""
    log = Path(lake.root, REVISION.name, "_delta_log/00000000000000000000.json")
    log.write_text("{")
    with pytest.raises(LakeError, match=f"{REVISION.name}: the table cannot be opened") as damaged:
        lake.table(REVISION)
    assert damaged.value.exit_status == 1
    Path(lake.root, PLACE.name, "_delta_log/00000000000000000000.json").unlink()
    with pytest.raises(LakeError, match="has no log"):
        open_lake(lake.root)


def test_a_creation_that_was_cut_off_is_ended(tmp_path: Path) -> None:
    """A writer that is killed before its first commit leaves the folder of a table; the next one creates the lake.

    Two writers that start at once meet the same folder. Files of somebody else in it are still refused.
    """
    log = tmp_path / "lake" / PLACE.name / "_delta_log"
    log.mkdir(parents=True)
    with pytest.raises(LakeConfigurationError, match="there is no lake here"):
        open_lake(str(tmp_path / "lake"))
    assert make_lake(str(tmp_path / "lake"), str(tmp_path / "key")).lake_id
    other = tmp_path / "other" / PLACE.name
    other.mkdir(parents=True)
    (other / "of-someone.txt").touch()
    with pytest.raises(LakeError, match="has no log"):
        make_lake(str(tmp_path / "other"), str(tmp_path / "key"))
