import asyncio
import base64
import json
from pathlib import Path

import pytest

from revertrisk.dispatcher.deadletters import DeadLetter, DeadLetterError, DeadLetterFile
from revertrisk.streams import Position

AT = Position("jsonl:x", 3)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_letter_holds_the_event_and_why_it_was_given_up(tmp_path: Path) -> None:
    """Everything needed to send the event again stands in one line."""
    path = tmp_path / "dead.jsonl"
    with DeadLetterFile(path) as letters:
        await letters.write(
            DeadLetter("status_400", AT, {"a": 1}, rule="r", attempts=2, status=400, code="invalid_event")
        )
    (letter,) = lines(path)
    assert str(letter.pop("dt")).endswith("Z")
    assert letter == {
        "reason": "status_400",
        "rule": "r",
        "attempts": 2,
        "status": 400,
        "code": "invalid_event",
        "partition": "jsonl:x",
        "offset": 3,
        "event": {"a": 1},
    }


async def test_a_record_that_is_no_event_is_kept_as_it_was(tmp_path: Path) -> None:
    """Text stays readable, and bytes that are no text are kept in base64."""
    path = tmp_path / "dead.jsonl"
    with DeadLetterFile(path) as letters:
        await letters.write(DeadLetter("invalid_json", AT, raw='{"ä'.encode()))
        await letters.write(DeadLetter("invalid_json", AT, raw=b"\xff\x00"))
    text, binary = lines(path)
    assert text["raw"] == '{"ä'
    assert base64.b64decode(str(binary["raw_base64"])) == b"\xff\x00"


async def test_letters_are_appended_also_after_a_torn_line(tmp_path: Path) -> None:
    """What stands in the file stays, and a half-written line does not swallow the next letter."""
    path = tmp_path / "dead.jsonl"
    path.write_bytes(b'{"reason":"old"}\n{"reason":"to')
    with DeadLetterFile(path) as letters:
        await asyncio.gather(*(letters.write(DeadLetter("timeout", AT, {"n": n})) for n in range(20)))
    old, torn, *new = path.read_bytes().splitlines()
    assert (old, torn) == (b'{"reason":"old"}', b'{"reason":"to')
    assert sorted(json.loads(line)["event"]["n"] for line in new) == list(range(20))


def test_a_file_that_cannot_be_written_is_found_at_start(tmp_path: Path) -> None:
    """A wrong path stops the start with its name."""
    with pytest.raises(DeadLetterError, match="nowhere"):
        DeadLetterFile(tmp_path / "nowhere" / "dead.jsonl")


async def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    """A letter that the disk does not take is not taken for written."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    link = tmp_path / "dead.jsonl"
    link.symlink_to(full)
    with DeadLetterFile(link) as letters, pytest.raises(DeadLetterError, match="No space left"):
        await letters.write(DeadLetter("timeout", AT, {}))
