"""What a backfill refuses to do, each with its reason and before a wiki is asked."""

from collections.abc import Callable
from pathlib import Path

import pytest

from revertrisk import dispatcher
from tests.fakes.backfills import Command
from tests.fakes.clients import MODEL, STREAM, Client
from tests.fakes.scripted_http import PRODUCED, Reply, scripted_server

RANGE = ("--wiki", "enwiki", "--from", "2025-01-01T00:00:00Z", "--to", "2026-12-31T00:00:00Z")


async def test_a_live_stream_is_refused(
    client: Client, sample_wiki: str, producer: str, command: Callable[[str, str], Command]
) -> None:
    """With the stream's name and what to do instead; neither the wiki nor the server is sent anything."""
    await client.session.delete(f"{sample_wiki}/_mock/requests")
    refused = await command(sample_wiki, producer).having(*RANGE).run()
    assert refused.status == 2
    assert f"writes to {STREAM}, which is not a backfill stream" in refused.log
    assert "ends in .backfill" in refused.log
    assert (await client.get(f"{sample_wiki}/_mock/stats"))["requests"] == 0


async def test_a_server_that_does_not_tell_its_stream_is_refused(
    sample_wiki: str, scorer: str, gate: str, command: Callable[[str, str], Command]
) -> None:
    """One that only scores, something else that answers HTTP, and nothing at all."""
    for target, reason in (
        (scorer, "only scores and emits nothing"),
        (gate, "does not name a stream (status 404)"),
        ("http://127.0.0.1:9", "cannot be reached"),
    ):
        refused = await command(sample_wiki, target).having(*RANGE).run()
        assert refused.status == 2
        assert reason in refused.log


async def test_a_target_that_turned_live_is_refused_when_a_run_goes_on(
    sample_wiki: str, backfill_server: str, producer: str, command: Callable[[str, str], Command]
) -> None:
    """The stream is asked for at every start, not only at the first."""
    planned = command(sample_wiki, backfill_server).having(*RANGE)
    assert (await planned.run("--dry-run")).status == 0
    refused = await planned.run("--target", producer)
    assert refused.status == 2
    assert "not a backfill stream" in refused.log


async def test_events_go_to_the_server_that_told_its_stream(
    sample_wiki: str, command: Callable[[str, str], Command], tmp_path: Path
) -> None:
    """The rule's host would lead a gateway to the live producer; a rule with another address is refused."""
    about = {
        "model_name": MODEL,
        "model_version": "1",
        "stream": f"{STREAM}.backfill",
        "wikis": ["enwiki"],
        "max_revision_bytes": 1_000_000,
    }
    async with scripted_server() as server:
        server.script = lambda seen: Reply(body=about) if seen.raw_path == "/v1/about" else PRODUCED
        run = command(sample_wiki, server.url).having(*RANGE)
        assert (await run.run("--yes")).status == 0
        asked = {seen.raw_path: seen.headers["Host"] for seen in server.seen}
        assert len(asked) == 2
        assert set(asked.values()) == {server.url.removeprefix("http://")}
        shipped = (Path(dispatcher.__file__).parent / "rules" / f"{MODEL}.yaml").read_text()
        rule = tmp_path / "rule.yaml"
        rule.write_text(shipped.replace("{{globals.target}}", "http://live.example"))
        refused = await run.run("--yes", "--rule", str(rule))
        assert (refused.status, "must begin with {{globals.target}}" in refused.log) == (2, True)


@pytest.mark.parametrize(
    ("wiki", "contact", "reason"),
    [
        ((), (), "contact: a public host requires a contact"),
        (("--wiki-url", "https://en.wikipedia.org"), (), "contact: a public host requires a contact"),
        ((), ("--contact", "me"), "contact: expected an e-mail address or a URL"),
        ((), ("--contact", "ops@example.org", "--concurrency", "4"), "concurrency: a public host allows 3"),
    ],
    ids=["no contact", "a public host by its URL", "no address", "too many at once"],
)
async def test_a_public_host_is_asked_only_by_somebody_it_can_write_to(
    tmp_path: Path, backfill_server: str, wiki: tuple[str, ...], contact: tuple[str, ...], reason: str
) -> None:
    """And at most three times at once; this is decided before anything is asked."""
    refused = await Command(tmp_path).run("--target", backfill_server, "--yes", *RANGE, *wiki, *contact)
    assert refused.status == 2
    assert reason in refused.log


@pytest.mark.parametrize(
    ("flags", "flag"),
    [
        (("--local", "missing/out.jsonl"), "local"),
        (("--target", "http://127.0.0.1:9", "--dead-letters", "missing/out.jsonl"), "dead-letters"),
    ],
)
async def test_a_file_that_cannot_be_written_is_refused_before_the_plan(
    tmp_path: Path, flags: tuple[str, ...], flag: str
) -> None:
    """Neither the wiki nor the target is there to be asked."""
    refused = await Command(tmp_path).run("--wiki-url", "http://127.0.0.1:9", *flags, "--dry-run", *RANGE)
    assert refused.status == 2
    assert (
        refused.log == f"revertrisk: {flag}: missing/out.jsonl cannot be written: missing is not a folder\n"
    )
    assert list(tmp_path.iterdir()) == []


async def test_no_terminal_to_ask_on_is_a_refusal(
    tmp_path: Path, sample_wiki: str, backfill_server: str
) -> None:
    """Without a terminal, sending takes ``--yes``."""
    flags = ("--wiki-url", sample_wiki, "--target", backfill_server)
    refused = await Command(tmp_path).run(*flags, *RANGE)
    assert refused.status == 2
    assert "yes: there is no terminal to ask on" in refused.log


@pytest.mark.parametrize("history", [(), ("--all-revisions",)])
@pytest.mark.parametrize(
    ("category", "status", "sentence"),
    [
        ("No such thing", 2, "category: frwiki has no Category:No such thing, and no page in it"),
        ("Category:", 1, "frwiki: the MediaWiki API answered with invalidcategory; what is done is kept\n"),
    ],
)
async def test_a_category_that_is_not_there_is_refused(
    sample_wiki: str,
    backfill_server: str,
    command: Callable[[str, str], Command],
    category: str,
    status: int,
    sentence: str,
    history: tuple[str, ...],
) -> None:
    """T4: a mistyped category is no empty plan, and no sentence says that the same command would help."""
    flags = ("--wiki", "frwiki", "--category", category, *history)
    refused = await command(sample_wiki, backfill_server).having(*flags, "--dry-run").run()
    assert (refused.status, refused.documents) == (status, {}), refused.log
    assert sentence in refused.log
    assert "same command" not in refused.log


@pytest.mark.parametrize(
    ("other", "flag"),
    [
        (("--to", "2026-06-30T00:00:00Z"), "to"),
        (("--all-revisions",), "all-revisions"),
        (("--namespace", "0", "--namespace", "1"), "namespace"),
        (("--user-kind", "ip"), "user-kind"),
        (("--wiki", "dewiki"), "wiki"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_another_selection_does_not_go_on_from_a_checkpoint(
    sample_wiki: str,
    backfill_server: str,
    command: Callable[[str, str], Command],
    other: tuple[str, ...],
    flag: str,
) -> None:
    """The flag that differs is named, with both values, and the checkpoint stays as it is."""
    planned = command(sample_wiki, backfill_server).having(*RANGE)
    first = await planned.run("--dry-run")
    refused = await planned.run("--dry-run", *other)
    assert refused.status == 2
    assert f"revertrisk: {flag}: backfill.sqlite was started with" in refused.log
    assert (await planned.run("--dry-run")).plan == first.plan
