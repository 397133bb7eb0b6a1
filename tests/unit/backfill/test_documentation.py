"""docs/backfill.md says what there is."""

import re
from pathlib import Path

import typer

from revertrisk.backfill.counts import PAGE_MISSING
from revertrisk.backfill.lookup import CHUNK
from revertrisk.backfill.selection_verdict import INVALID_EVENT, LeftOut
from revertrisk.cli.app import app
from revertrisk.wiki.user_kinds import UserKind

PAGE = (Path(__file__).resolve().parents[3] / "docs/backfill.md").read_text()


def test_every_flag_is_explained() -> None:
    """And none that there is not."""
    command = typer.main.get_command(app).commands["backfill"]  # type: ignore[attr-defined]  # it is a group
    flags = {option for flag in command.params for option in flag.opts if flag.name != "help"}
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE))
    assert mentioned == flags


def test_every_reason_is_explained() -> None:
    """With the kinds of authors that a flag takes."""
    for reason in (*(reason.reason for reason in LeftOut), PAGE_MISSING, INVALID_EVENT, "sampled_out"):
        assert f"`{reason}`" in PAGE
    for kind in UserKind:
        assert f"`{kind}`" in PAGE


def test_the_numbers_are_right() -> None:
    """Of revisions that are looked up together."""
    assert f"each chunk of {CHUNK} revisions" in PAGE
    assert f"before every {CHUNK} revisions" in PAGE
