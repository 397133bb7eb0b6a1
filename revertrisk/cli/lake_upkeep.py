"""``revertrisk lake check``, ``erase`` and ``prune``: check a lake, and remove data from it."""

# ruff: noqa: PLC0415 - the lake's libraries are imported when one of its commands runs

import asyncio
import sys
from typing import Annotated

import typer

from revertrisk.cli import dispatcher_flags as flags
from revertrisk.cli.lake import KeyFile, Lake, end, log_to_stderr, need_engines


def check(
    lake: Lake,
    api: Annotated[
        bool,
        typer.Option("--api", help="Also compare a sample of revisions with their wikis' API."),
    ] = False,
    sample: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="With --api: the number of revisions.")
    ] = 200,
    wiki_url: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar="WIKI_URL", help="With --api: a MediaWiki to ask for all wikis."),
    ] = None,
) -> None:
    """Check a lake: duplicate keys, actor keys of hidden authors, derived rows that differ from their sources.

    Exit status: 0 no findings, 1 findings or a damaged lake, 78 there is no lake.
    """
    need_engines()
    from revertrisk.lake.api_check import check_with_wikis
    from revertrisk.lake.check import check as find
    from revertrisk.lake.errors import LakeError
    from revertrisk.lake.open_or_create import open_lake

    log_to_stderr("WARNING")
    try:
        opened = open_lake(lake)
        findings = list(find(opened))
        if api:
            findings += asyncio.run(check_with_wikis(opened, number=sample, wiki_url=wiki_url))
    except LakeError as exc:
        end(exc, exc.exit_status)
    sys.stdout.writelines(f"{found}\n" for found in findings)
    noun = "finding" if len(findings) == 1 else "findings"
    sys.stdout.write(f"{lake}: {len(findings) or 'no'} {noun}\n")
    raise typer.Exit(1 if findings else 0)


def erase(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    lake: Lake,
    key_file: KeyFile = None,
    actor: Annotated[
        list[str],
        typer.Option(metavar="WIKI:NAME", help="A user name or IP address; also give old names; repeatable."),
    ] = [],  # noqa: B006 - Typer reads it
    page: Annotated[list[str], typer.Option(metavar="WIKI:ID", help="All rows of a page; repeatable.")] = [],  # noqa: B006
    revision: Annotated[
        list[str], typer.Option(metavar="WIKI:ID", help="All rows of a revision; repeatable.")
    ] = [],  # noqa: B006 - Typer reads it
    grace: Annotated[
        float,
        typer.Option(min=0, max=86_400, help="Seconds until the old files are removed, for running queries."),
    ] = 60.0,
) -> None:
    """Erase users, pages or revisions from the lake, and search all its files for what is left.

    The rows of a user stay, with all facts about the author removed. The rows of a page or a revision are deleted.
    Running queries can still read the old files until the grace ends.
    Data in Kafka and in copies of the lake is not erased.

    Exit status: 0 erased, 1 some data was still found, 2 a flag cannot be used, 78 the lake or its key cannot be used.
    """
    need_engines()
    from revertrisk.lake.erasure import erase as erase_from
    from revertrisk.lake.erasure import parse_erasure
    from revertrisk.lake.errors import LakeError
    from revertrisk.lake.open_or_create import open_lake_with_key

    log_to_stderr()
    if not (actor or page or revision):
        flags.refuse(ValueError("expected --actor, --page or --revision"))
    try:
        what = parse_erasure(actor, page, revision)
        done = erase_from(open_lake_with_key(lake, key_file), what, grace_s=grace)
    except LakeError as exc:
        end(exc, exc.exit_status)
    for actor_name in done.not_found:
        sys.stdout.write(
            f"nothing found for {actor_name}: no row has its key (old keys are removed), no title contains it\n"
        )
    for found in done.remaining:
        sys.stdout.write(f"still found: {found}\n")
    sys.stdout.write(f"{lake}: {done.rows} rows erased, {done.files} old files removed\n")
    raise typer.Exit(1 if done.remaining else 0)


def prune(
    lake: Lake,
    before: Annotated[str, typer.Option(metavar="DAY", help="The first day to keep, such as 2026-11-01.")],
) -> None:
    """Delete from the lake the days before DAY; from tables with monthly files, the months that end before it.

    The writer's maintenance deletes the files after its --keep-files-hours, by default six hours.

    Exit status: 0 done, 1 the lake is damaged, 2 a flag cannot be used, 78 there is no lake.
    """
    need_engines()
    from datetime import date

    from revertrisk.lake.errors import LakeError
    from revertrisk.lake.maintenance import prune as prune_before
    from revertrisk.lake.open_or_create import open_lake

    log_to_stderr()
    try:
        day = date.fromisoformat(before)
    except ValueError:
        flags.refuse(ValueError("before: expected a day such as 2026-11-01"))
    try:
        files = prune_before(open_lake(lake), day)
    except LakeError as exc:
        end(exc, exc.exit_status)
    sys.stdout.write(
        f"{lake}: {files} files no longer in the tables; the writer deletes them after its keep time\n"
    )
