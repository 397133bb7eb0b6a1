import gzip
from contextlib import aclosing, closing
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revertrisk.runtime.unpacking import MAX_LINE_BYTES
from revertrisk.streams import (
    JsonlSource,
    SourcedEvent,
    SourceError,
    UnreadableReason,
    UnreadableRecord,
)
from revertrisk.streams.base import MAX_KEPT_BYTES
from revertrisk.streams.checkpoints import CheckpointFile


async def read(path: Path) -> list[SourcedEvent | UnreadableRecord]:
    async with aclosing(JsonlSource.from_path(str(path)).events()) as records:
        return [record async for record in records]


async def numbers(path: Path) -> list[int]:
    return [record.position.offset for record in await read(path)]


@pytest.mark.parametrize(
    ("content", "offsets"),
    [
        (b'{}\n\n  \n{"a":1}\r\n\t\n{}', [1, 4, 6]),
        (b"{}", [1]),
        (b"\n\n", []),
        (b"", []),
        (b"\xef\xbb\xbf{}\n{}\n", [1, 2]),
    ],
)
async def test_blank_lines_are_passed_over_and_counted(
    tmp_path: Path, content: bytes, offsets: list[int]
) -> None:
    """An offset is the line's number in the file, as an editor shows it."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(content)
    assert await numbers(path) == offsets
    assert all(isinstance(record, SourcedEvent) for record in await read(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.binary(max_size=40)), st.sampled_from([bytes, gzip.compress, zstandard.compress]))
async def test_no_line_is_ever_lost(tmp_path: Path, lines: list[bytes], encode: type[bytes]) -> None:
    """Any bytes whatever: each line that is not blank comes out as an event or as an unreadable record."""
    path = tmp_path / "any"
    path.write_bytes(encode(b"x\n" + b"\n".join(lines)))
    expected = [number for number, line in enumerate(b"\n".join(lines).split(b"\n"), start=2) if line.strip()]
    found = await numbers(path)
    if encode is bytes:  # somebody may be writing its last line
        assert found in ([1, *expected], [1, *expected][:-1])
        path.write_bytes(path.read_bytes() + b"\n")
        found = await numbers(path)
    assert found == [1, *expected]


@pytest.mark.parametrize("encode", [bytes, gzip.compress, zstandard.compress])
@pytest.mark.parametrize(
    ("last", "is_whole"), [(b'{"a":2}', True), (b'{"a":2', False), (b"12", False), (b"", None), (b" ", None)]
)
async def test_d5_a_last_line_without_its_end(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    encode: type[bytes],
    last: bytes,
    *,
    is_whole: bool | None,
) -> None:
    """D5: of a file it is taken if it is whole, and not for good; a half one waits, which is said once."""
    path = tmp_path / "events"
    path.write_bytes(encode(b'{"a":1}\n' + last))
    first, *rest = await read(path)
    assert not first.position.is_open
    grows = encode is bytes
    if is_whole:
        assert [record.position.is_open for record in rest] == [grows]
    else:  # the end of compressed content is one
        assert [type(record) for record in rest] == [] if grows or is_whole is None else [UnreadableRecord]
    assert caplog.text.count("it is left to the next run") == (grows and is_whole is False)


async def test_d6_a_request_body_is_the_event_in_it(tmp_path: Path) -> None:
    """D6: lines as they are posted to a server; an event that has more than the one field is its own."""
    path = tmp_path / "events"
    path.write_bytes(b'{"event":{"a":1}}\n{"event":{"a":2},"reason":"x"}\n{"event":3}\n')
    assert [record.event for record in await read(path) if isinstance(record, SourcedEvent)] == [
        {"a": 1},
        {"event": {"a": 2}, "reason": "x"},
        {"event": 3},
    ]


async def test_a_line_that_is_too_long_is_reported_with_its_beginning(
    tmp_path: Path,
) -> None:
    """Memory is bounded: what cannot be an event any more is skipped to its end."""
    path = tmp_path / "long.jsonl"
    too_long = MAX_LINE_BYTES + 10
    path.write_bytes(gzip.compress(b'{"a":1}\n' + b'"' + b"x" * too_long + b'"\n{"b":2}\n', 1))
    first, second, third = await read(path)
    assert isinstance(first, SourcedEvent)
    assert isinstance(second, UnreadableRecord)
    assert second.reason is UnreadableReason.TOO_LONG
    assert len(second.raw) == MAX_KEPT_BYTES
    assert isinstance(third, SourcedEvent)
    assert third.position.offset == 3


@pytest.mark.parametrize("encode", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize("damage", ["cut", "changed", "junk"])
async def test_a_damaged_file_is_an_error_and_not_an_end(
    tmp_path: Path, encode: type[bytes], damage: str
) -> None:
    """A compressed file that is cut off or damaged is never taken for a shorter one."""
    whole = encode(b"".join(b'{"n":%d}\n' % (n * n * 7919) for n in range(5000)))
    damaged = {
        "cut": whole[:-5],
        "changed": whole[: len(whole) // 2] + b"\0\0\0\0\0\0" + whole[len(whole) // 2 + 6 :],
        "junk": whole + b"junk",
    }[damage]
    path = tmp_path / "events"
    path.write_bytes(damaged)
    with pytest.raises(SourceError, match=r"the packed file is (damaged|cut off)"):
        await read(path)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"PK\x03\x04", "zip archives are not read"),
        ("{}\n".encode("utf-16"), "UTF-16 is not supported"),
    ],
)
async def test_another_way_of_packing_is_refused_by_name(tmp_path: Path, content: bytes, name: str) -> None:
    """D5: a file of a kind that is not read gives one sentence, and no dead letters that are committed."""
    path = tmp_path / "events"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=name):
        await read(path)


async def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A missing file and a folder are errors with the path and the cause."""
    with pytest.raises(SourceError, match=r"none\.jsonl: cannot be opened: No such file"):
        await read(tmp_path / "none.jsonl")
    with pytest.raises(SourceError, match="Is a directory"):
        await read(tmp_path)


@pytest.mark.parametrize(
    ("later", "how"),
    [
        (b"{}\n1\n2\n3\n", "line 4 differs"),
        (b"{}\n1\n", "2 lines, not 4"),
        (b"", "0 lines, not 4"),
        (b"[]\n1\n2\n4\n", "first line differs"),
    ],
)
async def test_a_file_that_was_written_anew_is_refused(tmp_path: Path, later: bytes, how: str) -> None:
    """It differs from the one before in its first line or the last one that was done, or ends before that one."""
    path = tmp_path / "events.jsonl"
    found = []
    with closing(CheckpointFile(tmp_path / "checkpoints")) as checkpoints:
        checkpoint = checkpoints.of("x")
        for content in (b"{}\n1\n2\n4\n", b"{}\n1\n2\n4\n5\n"):  # a file that has grown is taken up
            path.write_bytes(content)
            source = JsonlSource.from_path(str(path), checkpoint)
            async with aclosing(source.records()) as records:
                async for record in records:
                    found.append(record.position.offset)
                    if record.position.offset < 5:
                        await source.commit(record.position)
        assert found == [1, 2, 3, 4, 5]
        path.write_bytes(later)
        source = JsonlSource.from_path(str(path), checkpoint)
        with pytest.raises(SourceError, match=f"another input, .*{how}"):
            [record async for record in source.records()]
