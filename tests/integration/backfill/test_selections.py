"""What each way to select revisions finds, and what never leaves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.history import Part
from revertrisk.wiki.table import WikiTable
from tests.fakes.backfills import ALL_TIME, BACKFILL_STREAM, Command
from tests.fakes.clients import Client, StartServer

Make = Callable[[str, str], Command]


async def test_revisions_come_from_a_file_or_from_standard_input(
    tmp_path: Path, sample_wiki: str, backfill_server: str, command: Make
) -> None:
    """One that is listed twice counts once; one that the wiki does not have is skipped."""
    flags = ("--wiki", "enwiki", "--dry-run")
    (tmp_path / "ids").write_text("456789\n\n1\n456789\n")
    this = command(sample_wiki, backfill_server).having(*flags)
    by_file = await this.run("--revisions", "ids", "--checkpoint", "a")
    by_pipe = await this.run("--revisions", "-", "--checkpoint", "b", stdin="456789\n1\n")
    for ended in (by_file, by_pipe):
        assert ended.status == 0, ended.log
        assert (ended.plan["to_send"], ended.plan["not_sent"]) == (1, {"skipped:revision_missing": 1})


async def test_titles_name_pages(
    tmp_path: Path, sample_wiki: str, backfill_server: str, command: Make
) -> None:
    """The latest revision of each, or all of them; a page that is not there is named."""
    (tmp_path / "titles").write_text("Foo\nNo_such_page\nLake Verrin\n")
    this = command(sample_wiki, backfill_server).having("--wiki", "enwiki", "--titles", "titles", "--dry-run")
    latest = await this.run("--checkpoint", "a")
    whole = await this.run("--checkpoint", "b", "--all-revisions")
    assert (latest.status, whole.status) == (0, 0), latest.log + whole.log
    assert latest.plan["found"] == 2
    assert (
        latest.plan["not_sent"]["left_out:page_missing"]
        == whole.plan["not_sent"]["left_out:page_missing"]
        == 1
    )
    assert [title.replace("_", " ") for title in latest.plan["titles_not_found"]] == ["No such page"]
    assert whole.plan["found"] > 4


async def test_a_category_names_pages(sample_wiki: str, backfill_server: str, command: Make) -> None:
    """With its prefix or without; the latest revision of each page, or all of them."""
    this = command(sample_wiki, backfill_server).having("--wiki", "testwiki", "--dry-run")
    latest = await this.run("--category", "Practice pages", "--checkpoint", "a")
    prefixed = await this.run("--category", "Category:Practice pages", "--checkpoint", "b")
    whole = await this.run("--category", "Practice pages", "--checkpoint", "c", "--all-revisions")
    assert {ended.status for ended in (latest, prefixed, whole)} == {0}, latest.log
    assert latest.plan["found"] == prefixed.plan["found"] == 1
    assert whole.plan["found"] > 1


async def test_what_is_hidden_never_leaves(
    client: Client, start_server: StartServer, empty_gate: str, sample_wiki: str, command: Make
) -> None:
    """No revision with a hidden text is on the stream, and no hidden name or comment of any other."""
    history = SampleHistory.shipped(WikiTable.load())
    hidden = [revision for revision in history.changes() if revision.hidden]
    wikis = [
        flag for wiki_id in sorted({revision.wiki_id for revision in hidden}) for flag in ("--wiki", wiki_id)
    ]
    environment = {"WIKI_URL": sample_wiki, "EVENTGATE_URL": empty_gate, "EVENTGATE_STREAM": BACKFILL_STREAM}
    with start_server(**environment) as server:
        done = await command(sample_wiki, server.url).having(*wikis, *ALL_TIME).run()
    assert done.status == 0, done.log
    assert done.report["skipped"]["skipped:revision_hidden"] > 0
    accepted = {
        (event["wiki_id"], event["revision"]["rev_id"]): event for event in await client.accepted(empty_gate)
    }
    seen = 0
    for revision in hidden:
        event = accepted.get((revision.wiki_id, revision.rev_id))
        if Part.TEXT in revision.hidden:
            assert event is None
        elif event is not None:
            seen += 1
            text = orjson.dumps(event).decode()
            assert Part.USER not in revision.hidden or "performer" not in event
            assert Part.COMMENT not in revision.hidden or "comment" not in event["revision"]
            if Part.USER in revision.hidden and revision.user is not None:
                assert f'"{revision.user.name}"' not in text
    assert seen > 0


async def test_what_is_hidden_after_the_plan_never_leaves(
    client: Client, empty_gate: str, sample_wiki: str, backfill_server: str, command: Make, tmp_path: Path
) -> None:
    """Each chunk is looked up again before it is sent; the report says what has changed since the plan."""
    (tmp_path / "ids").write_text("456789\n1365744308\n")
    this = command(sample_wiki, backfill_server).having("--wiki", "enwiki", "--revisions", "ids")
    assert (await this.run("--dry-run")).plan["to_send"] == 2
    fault: dict[str, Any] = {"kind": "hide", "parts": ["text"], "after": 0, "rev_id": 456789}
    async with client.session.put(f"{sample_wiki}/_mock/faults", data=orjson.dumps(fault)) as answer:
        assert answer.status == 200
    try:
        done = await this.run()
    finally:
        await client.session.delete(f"{sample_wiki}/_mock/faults")
    assert done.status == 0, done.log
    assert done.report["skipped"] == {"skipped:revision_hidden": 1}
    assert done.report["scored"] == 1
    assert all(event["revision"]["rev_id"] != 456789 for event in await client.accepted(empty_gate))
