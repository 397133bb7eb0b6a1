"""The examples in ``docs/mock-eventgate.md`` are real."""

import asyncio
import os
import re
from pathlib import Path

from tests.integration.mock_eventgate.gate_client import Gate

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "mock-eventgate.md"
NEXT = "@@ next @@"
# What differs from run to run, and from version to version of what we stand on.
VARIABLE = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\dT[\d:.]+Z"
    r"|\b\d{13}\b"
    r"|(?<=^Date: ).*|(?<=^Server: ).*"
    r"|curl/[\d.]+|(?<=after )\d+(?= milliseconds)",
    re.MULTILINE,
)


def examples() -> list[tuple[str, str]]:
    """Return each command of the document with the output shown below it."""
    blocks = re.findall(r"^```console\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    parts = re.split(r"^\$ ", "".join(blocks), flags=re.MULTILINE)
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts[1:])]


async def run(commands: list[str], address: str) -> list[str]:
    """Run commands in one shell, against this address instead of the document's, and return their outputs."""
    script = f"\necho; echo '{NEXT}'\n".join(commands).replace("localhost:8192", address)
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        script,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"LC_ALL": "C"},
    )
    output, _ = await process.communicate()
    return [part.replace("\r", "") for part in output.decode().split(f"{NEXT}\n")]


def same(output: str) -> str:
    """Return an output without what may differ, and without blank lines at its ends."""
    return VARIABLE.sub("…", output).strip()


async def test_examples_are_real(gate: Gate) -> None:
    """Each command of the document prints what is shown below it."""
    commands, expected = zip(*examples(), strict=True)
    outputs = await run(list(commands), gate.url.removeprefix("http://"))
    assert len(commands) > 10
    assert dict(zip(commands, map(same, outputs), strict=True)) == dict(
        zip(commands, map(same, expected), strict=True)
    )
