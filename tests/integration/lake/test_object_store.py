"""A lake in an object store, here one on loopback; tests/peers/s3.py holds it against another one's S3."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree, rmtree

import pytest

from revertrisk.event_platform.streams import PAGE_CHANGE_STREAM
from revertrisk.lake import Reader
from revertrisk.lake.check import check
from revertrisk.lake.erasure import erase, parse_erasure
from revertrisk.lake.errors import LakeConfigurationError, LakeError
from revertrisk.lake.maintenance import maintain
from revertrisk.lake.open_or_create import make_lake, open_lake, open_lake_with_key
from revertrisk.lake.schema import TABLES
from revertrisk.lake.tables import Lake, files_by_partition
from revertrisk.lake.writer import Batch, LakeWriter, RecordPlace
from tests.fakes.lake_events import as_lines
from tests.fakes.lake_oracle import differences
from tests.fakes.loopback import held_port
from tests.fakes.object_store import object_store
from tests.integration.lake.test_run import events_of

EVENTS = events_of(60, days=2)
NAME = Counter(
    event["performer"]["user_text"] for event in EVENTS if event["meta"]["stream"] == PAGE_CHANGE_STREAM
).most_common(1)[0][0]
AT = "some/lake"


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "any")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "any")
        yield environment


@pytest.fixture(scope="module")
def store(environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store, as the folder of its objects, with a lake of two batches, each written twice, in the bucket `made`."""
    folder = tmp_path_factory.mktemp("objects")
    with object_store(folder / "store") as url:
        environment.setenv("AWS_ENDPOINT_URL", url)
        lake = make_lake(f"s3://made/{AT}", str(folder / "key"))
        writer = LakeWriter(lake)
        for part in (EVENTS[:150], EVENTS[100:], EVENTS[:150]):
            writer.write(Batch(as_lines(part), [RecordPlace("a", 0)] * len(part), resume={"a": "1"}))
        assert writer.place("a") == "1"
        writer.close()
        yield folder / "store"


@pytest.fixture
def bucket(store: Path, tmp_path: Path) -> Iterator[Path]:
    """A bucket of the test's own, as a folder, with a copy of that lake."""
    bucket = store / tmp_path.name
    copytree(store / "made", bucket)
    yield bucket
    rmtree(bucket)


@pytest.fixture
def lake(store: Path, bucket: Path) -> Lake:
    return open_lake_with_key(f"s3://{bucket.name}/{AT}", str(store.with_name("key")))


def test_a_lake_in_an_object_store_is_as_one_in_a_folder(lake: Lake, bucket: Path) -> None:
    """It equals the oracle, has no findings, and compaction leaves one file a partition."""
    reader = Reader(lake.root)
    assert differences(reader.connection, EVENTS) == []
    assert list(check(lake)) == []
    maintain(lake, actor_key_days=100_000)
    reader.refresh()
    assert differences(reader.connection, EVENTS) == []
    assert max(files_by_partition(lake, TABLES[0]).values()) < 8
    assert not any(path.is_file() for path in bucket.glob(f"{AT}/_conditional_put/*"))


def test_an_erased_user_is_in_no_object(lake: Lake, bucket: Path) -> None:
    """Their key is in no row, and neither it nor the name in any byte of the store; so says the erasure's own proof."""
    assert lake.actor_keys is not None
    wikis = sorted({event["wiki_id"] for event in EVENTS if "wiki_id" in event})
    keys = [lake.actor_keys.of(wiki, NAME).encode() for wiki in wikis]
    listed = ", ".join(f"'{key.decode()}'" for key in keys)
    query = f"SELECT count(*) FROM revision WHERE actor_key IN ({listed})"  # noqa: S608 - hexadecimal digits
    assert Reader(lake.root).query(query).fetchall() != [(0,)]
    done = erase(lake, parse_erasure([f"{wiki}:{NAME}" for wiki in wikis], [], []), grace_s=0)
    assert done.remaining == []
    assert done.files > 0
    assert Reader(lake.root).query(query).fetchall() == [(0,)]
    for path in bucket.rglob("*"):
        assert path.is_dir() or not any(each in path.read_bytes() for each in [*keys, NAME.encode()]), path


def test_a_reader_goes_to_the_newest_version_when_an_object_is_gone(lake: Lake, bucket: Path) -> None:
    """An object that is removed between opening and reading is not an error, but the next version is asked."""
    reader = Reader(lake.root)
    maintain(lake, actor_key_days=100_000)
    named = {path.removeprefix("s3://") for table in TABLES for path in lake.files(table)}
    for path in bucket.rglob("*.parquet"):
        if "_delta_log" not in path.parts and str(path.relative_to(bucket.parent)) not in named:
            path.unlink()
    ((rows,),) = reader.query("SELECT count(*) FROM prediction").fetchall()
    assert rows == 120


def test_each_object_is_asked_for_its_size_once(lake: Lake, store: Path) -> None:
    """A query that is asked again asks the store for nothing: what was read is kept in the engine's memory."""
    reader = Reader(lake.root)
    log = store.with_suffix(".log")
    begun = len(log.read_text().splitlines())
    for _ in range(2):
        reader.query("SELECT sum(probability), max(rev_id) FROM prediction").fetchall()
    asked = log.read_text().splitlines()[begun:]
    assert len(asked) == len(set(asked)) > 0


def test_a_store_without_conditional_put_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A store that writes over what is there would lose rows of two writers: nothing is made in it."""
    with object_store(tmp_path / "unsafe", conditional_put=False) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(LakeConfigurationError, match="a lake needs a store with conditional PUT"):
            make_lake("s3://other/lake", str(tmp_path / "key"))
    assert not any(path.is_file() for path in (tmp_path / "unsafe").rglob("*"))


@pytest.mark.parametrize("name", ["AWS_S3_ALLOW_UNSAFE_RENAME", "AWS_S3_LOCKING_PROVIDER"])
def test_commits_of_another_kind_are_refused(
    store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """What would make deltalake commit without the condition is refused by its name."""
    monkeypatch.setenv(name, "true")
    with pytest.raises(LakeConfigurationError, match=name):
        make_lake("s3://other/lake", str(tmp_path / "key"))


@pytest.mark.parametrize(
    "root",
    [
        "s3://bucket",
        "s3:///lake",
        "gs://bucket/lake",
        "s3://b/a#b/c",
        "s3://b/a b",
        "s3://b/a/../c",
        "s3://b/a//c",
    ],
)
def test_other_addresses_are_refused(root: str) -> None:
    """A lake's address is a folder, or a bucket and a prefix."""
    with pytest.raises(LakeConfigurationError, match=r"expected .*s3://BUCKET/PREFIX"):
        open_lake(root)


def test_a_foreign_prefix_and_a_damaged_lake_are_refused(store: Path, bucket: Path) -> None:
    """What lies there is named; a lake that has lost its first table is damaged, not new."""
    with pytest.raises(LakeConfigurationError, match="but it contains 'lake'"):
        open_lake(f"s3://{bucket.name}/some")
    rmtree(bucket / AT / "place/_delta_log")
    with pytest.raises(LakeError, match="the lake is damaged"):
        make_lake(f"s3://{bucket.name}/{AT}", str(store.with_name("key")))


def test_a_store_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Reading ends with 1, writing with 78, both after a few tries and with the store's address."""
    with held_port() as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(LakeConfigurationError, match="the object store cannot be written"):
            make_lake("s3://other/lake", str(tmp_path / "key"))
