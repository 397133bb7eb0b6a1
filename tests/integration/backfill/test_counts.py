"""What a dry run says is what the run does."""

from collections.abc import Callable

import pytest

from tests.fakes.backfills import Command, made
from tests.fakes.clients import Client

WIKIS = ("enwiki", "dewiki", "hewiki", "frwiki", "testwiki")


@pytest.mark.parametrize(
    "selection",
    [
        pytest.param(
            ("--all-revisions", "--namespace", "0", "--namespace", "1", "--namespace", "2"), id="all"
        ),
        pytest.param((), id="latest"),
        pytest.param(("--all-revisions", "--user-kind", "ip", "--user-kind", "temporary"), id="users"),
        pytest.param(("--all-revisions", "--page-age-to", "400"), id="young pages"),
    ],
)
async def test_the_counts_of_a_dry_run_are_those_of_the_run_over_the_samples(
    sample_wiki: str,
    backfill_server: str,
    command: Callable[[str, str], Command],
    selection: tuple[str, ...],
) -> None:
    """By every reason; what is to be sent is scored."""
    wikis = [flag for wiki in WIKIS for flag in ("--wiki", wiki)]
    this = command(sample_wiki, backfill_server).having(*wikis, *made("2001-01-01", "2026-12-31"), *selection)
    dry = await this.run("--dry-run", "--checkpoint", "dry.sqlite")
    done = await this.run("--checkpoint", "run.sqlite")
    assert (dry.status, done.status) == (0, 0), (dry.log, done.log)
    assert done.report["skipped"] == dry.plan["not_sent"]
    assert done.report["scored"] == dry.plan["to_send"] > 0
    assert done.report["failed"] == {}
    assert done.report["left"] == 0
    assert sum(dry.plan["by_wiki"].values()) == sum(dry.plan["by_age"].values()) == dry.plan["to_send"]
    assert sum(dry.plan["by_namespace"].values()) == dry.plan["to_send"]
    assert dry.plan["to_send"] + sum(dry.plan["not_sent"].values()) == dry.plan["found"]


async def test_a_run_goes_on_from_the_plan_of_its_dry_run(
    client: Client,
    export_wiki: str,
    export_server: str,
    empty_gate: str,
    command: Callable[[str, str], Command],
) -> None:
    """The wiki is not asked for the list a second time, and no more often than the plan says."""
    flags = ("--wiki", "enwiki", "--all-revisions", *made("2003-06-01", "2003-12-31"))
    this = command(export_wiki, export_server).having(*flags)
    dry = await this.run("--dry-run")
    await client.session.delete(f"{export_wiki}/_mock/requests")
    done = await this.run()
    assert (dry.status, done.status) == (0, 0), (dry.log, done.log)
    assert done.plan == dry.plan
    assert done.report["skipped"] == dry.plan["not_sent"]
    assert done.report["scored"] == dry.plan["to_send"] > 0
    assert dry.plan["not_sent"]["skipped:null_edit"] > 0
    requests = await client.get(f"{export_wiki}/_mock/requests")
    assert not any("list" in request["params"] for request in requests)
    assert len(requests) <= dry.plan["mediawiki_requests"]
