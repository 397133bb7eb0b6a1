"""``revertrisk lake check``, ``erase`` and ``prune``: find what is wrong with a lake, and remove what must not stay."""

# ruff: noqa: PLC0415 - the lake's engines are imported when a command of it runs

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
        typer.Option(
            "--api", help="Also hold a sample of revisions against what their wikis say of them now."
        ),
    ] = False,
    sample: Annotated[int, typer.Option(min=1, help="With --api: how many revisions.")] = 200,
    wiki_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", envvar="WIKI_URL", help="With --api: a MediaWiki instead of the wikis' own."
        ),
    ] = None,
) -> None:
    """Look for what is wrong with a lake: doubled keys, hidden authors that are told, derived rows that differ.

    Exit status: 0 nothing found, 1 something is wrong, 78 there is no lake.
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
    sys.stdout.write(f"{lake}: {len(findings) or 'no'} findings\n")
    raise typer.Exit(1 if findings else 0)


def erase(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    lake: Lake,
    key_file: KeyFile = None,
    actor: Annotated[
        list[str],
        typer.Option(metavar="WIKI:NAME", help="A user or an address; give old names too; repeatable."),
    ] = [],  # noqa: B006 - Typer reads it
    page: Annotated[list[str], typer.Option(metavar="WIKI:ID", help="All rows of a page; repeatable.")] = [],  # noqa: B006
    revision: Annotated[
        list[str], typer.Option(metavar="WIKI:ID", help="All rows of a revision; repeatable.")
    ] = [],  # noqa: B006 - Typer reads it
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds for readers to finish with the old files.")
    ] = 60.0,
) -> None:
    """Take people, pages or revisions out of the lake for good, and prove by its files that they are gone.

    An actor's rows stay, without anything that tells the actor; a page's and a revision's rows go.
    What reads the lake's files in the meantime is not disturbed within the grace.
    Kafka and copies of the lake elsewhere are not reached.

    Exit status: 0 gone, 1 something is still there, 2 a flag cannot be used, 78 the lake or its key does not fit.
    """
    need_engines()
    from revertrisk.lake.erasure import erase as erase_from
    from revertrisk.lake.erasure import parse_erasure
    from revertrisk.lake.errors import LakeError
    from revertrisk.lake.open_or_create import open_lake_with_key

    log_to_stderr()
    if not (actor or page or revision):
        flags.refuse(ValueError("name what is to be erased: --actor, --page or --revision"))
    try:
        what = parse_erasure(actor, page, revision)
        done = erase_from(open_lake_with_key(lake, key_file), what, grace_s=grace)
    except LakeError as exc:
        end(exc, exc.exit_status)
    for actor_name in done.unfound:
        sys.stdout.write(
            f"no row of {actor_name}: no row has the key of this name (keys of old edits are gone), no title has it\n"
        )
    for found in done.left:
        sys.stdout.write(f"still there: {found}\n")
    sys.stdout.write(f"{lake}: {done.rows} rows erased, {done.files} old files removed\n")
    raise typer.Exit(1 if done.left else 0)


def prune(
    lake: Lake,
    before: Annotated[str, typer.Option(metavar="DAY", help="The first day that stays, such as 2026-11-01.")],
) -> None:
    """Delete whole days, or whole months, from the lake that lie before a day.

    The files go with the writer's next maintenance, a week later.

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
    sys.stdout.write(f"{lake}: {files} files are no longer part of it\n")
