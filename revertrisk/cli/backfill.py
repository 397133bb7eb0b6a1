"""``revertrisk backfill``: scores past revisions, for a backfill stream or a file."""

# ruff: noqa: PLC0415 - the command imports its program when it runs

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Author(StrEnum):
    """The kinds of users, as values of the flag."""

    REGISTERED = "registered"
    TEMPORARY = "temporary"
    IP = "ip"
    UNKNOWN = "unknown"


def backfill(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    wiki: Annotated[
        list[str],
        typer.Option(
            metavar="WIKI", help="The wiki, such as enwiki; repeatable with --from, --to and --category."
        ),
    ],
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", help="Only revisions from this time on, such as 2026-11-01T00:00:00Z.", metavar="TIME"
        ),
    ] = None,
    to: Annotated[str | None, typer.Option(help="Only revisions up to this time.", metavar="TIME")] = None,
    revisions: Annotated[
        str | None,
        typer.Option(help="A file of revision ids, one a line; - for standard input.", metavar="FILE"),
    ] = None,
    titles: Annotated[
        str | None,
        typer.Option(help="A file of page titles, one a line; - for standard input.", metavar="FILE"),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(help="The pages of this category, without its subcategories.", metavar="NAME"),
    ] = None,
    all_revisions: Annotated[
        bool, typer.Option("--all-revisions", help="All revisions of each page. Default: the latest.")
    ] = False,
    namespace: Annotated[
        list[int],
        typer.Option(metavar="N", help="Only pages of this namespace; repeatable. The server scores 0 only."),
    ] = [0],  # noqa: B006 - Typer reads it
    user_kind: Annotated[
        list[Author],
        typer.Option(
            metavar="KIND",
            help="Only revisions by this kind of user: registered, temporary, ip or unknown; repeatable. Default: all.",
        ),
    ] = [],  # noqa: B006 - Typer reads it
    page_age_from: Annotated[
        float | None, typer.Option(help="Only if the page was at least this old at the edit.", metavar="DAYS")
    ] = None,
    page_age_to: Annotated[
        float | None, typer.Option(help="Only if the page was at most this old at the edit.", metavar="DAYS")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="The address of a server whose stream ends in .backfill, http://host:port.", metavar="URL"
        ),
    ] = None,
    local: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="Score in this process, and write the predictions to this file as JSON lines.",
        ),
    ] = None,
    rule: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="The dispatcher's rule. Default: the shipped rule of the model."
        ),
    ] = None,
    wiki_url: Annotated[
        str | None,
        typer.Option(
            envvar="WIKI_URL",
            help="An internal MediaWiki, http://host:port. Default: the wiki's public host.",
        ),
    ] = None,
    wikis_file: Annotated[
        Path | None,
        typer.Option(
            envvar="WIKIS_FILE", help="A wiki table that replaces the shipped one, as for the server."
        ),
    ] = None,
    contact: Annotated[
        str | None,
        typer.Option(help="Your mail address or URL, for the User-Agent; required for public hosts."),
    ] = None,
    rate: Annotated[
        float, typer.Option(help="At most this many MediaWiki requests a second, including the server's.")
    ] = 5.0,
    concurrency: Annotated[int, typer.Option(help="Concurrent revisions; at most 3 on public hosts.")] = 3,
    checkpoint: Annotated[
        Path, typer.Option(dir_okay=False, help="The file with the plan and its progress.")
    ] = Path("backfill.sqlite"),
    dead_letters: Annotated[
        Path, typer.Option(dir_okay=False, help="The file for dead letters, for redrive.")
    ] = Path("backfill-dead-letters.jsonl"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before sending.")] = False,
) -> None:
    """Score past revisions at a limited rate, for a backfill stream or a file, never for a live stream.

    After a stop the same command continues. Exit status: 0 only if all planned revisions were scored or skipped.
    """
    from revertrisk.backfill import BackfillSettings, SettingsError, run_backfill
    from revertrisk.cli.dispatcher_flags import parse_time, refuse
    from revertrisk.wiki.user_kinds import UserKind

    try:
        settings = BackfillSettings(
            wikis=tuple(wiki),
            since=None if from_ is None else parse_time("from", from_),
            until=None if to is None else parse_time("to", to),
            revisions=revisions,
            titles=titles,
            category=category,
            all_revisions=all_revisions,
            namespaces=tuple(namespace),
            user_kinds=tuple(UserKind(kind) for kind in user_kind),
            page_age_from_days=page_age_from,
            page_age_to_days=page_age_to,
            target=target,
            local=local,
            rule_file=rule,
            wiki_url=wiki_url or None,
            wikis_file=wikis_file,
            contact=contact,
            rate=rate,
            concurrency=concurrency,
            checkpoint=checkpoint,
            dead_letters=dead_letters,
            dry_run=dry_run,
            yes=yes,
        )
    except SettingsError as exc:
        refuse(exc)
    raise typer.Exit(run_backfill(settings, lambda question: typer.confirm(question, err=True)))
