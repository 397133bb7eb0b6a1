"""``revertrisk whatif``: what a threshold would do on a wiki, and what people say of its edits."""

# ruff: noqa: PLC0415 - engines and statistics are imported when a report is made

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from revertrisk.cli import dispatcher_flags as flags
from revertrisk.cli.lake import Lake
from revertrisk.cli.report_making import (
    Html,
    Json,
    Since,
    Skipping,
    Until,
    models_of,
    need_engines,
    period_of,
    reading,
    seconds_of,
    write,
)

if TYPE_CHECKING:
    from revertrisk.reports.lake_edits import Period, Scored


def whatif(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    lake: Lake,
    wiki: Annotated[str, typer.Option(help="The wiki.")],
    model: Annotated[
        str, typer.Option(help="The model; of its versions the latest that scored the wiki.")
    ] = ("revertrisk-language-agnostic"),
    since: Since = None,
    until: Until = None,
    horizon: Annotated[str, typer.Option(help="How soon a revert must come, in hours or days.")] = "48h",
    automoderator_rules: Skipping = False,
    share: Annotated[
        float | None,
        typer.Option(min=0.01, max=0.999, help="Find the threshold for at least this share reverted."),
    ] = None,
    a_day: Annotated[
        float | None,
        typer.Option(min=0.001, help="Find the threshold for at most this many flagged edits a day."),
    ] = None,
    target_fpr: Annotated[
        float | None,
        typer.Option(
            min=0.0001, max=0.9999, help="Find the threshold that flags at most this share of the others."
        ),
    ] = None,
    review: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Draw N edits for people to judge and write them to --sheet."),
    ] = None,
    sheet: Annotated[
        Path,
        typer.Option(
            dir_okay=False,
            help="With --review: a CSV file; beside it a page of links, and a key with the scores.",
        ),
    ] = Path("review.csv"),
    judged: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Read a filled sheet back: what people say of the edits."
        ),
    ] = None,
    as_json: Json = False,
    html: Html = None,
) -> None:
    """Say what a threshold would do on a wiki: edits flagged a day, share reverted, who was first, time saved.

    A threshold for a wish is chosen on the earlier two thirds of the days and reported on the later ones.
    With --review it draws edits by score and kind of user instead, for people to judge without seeing the scores.

    Exit status: 0 done, 1 no threshold can be chosen, or the lake is damaged, 2 a flag cannot be used, 78 no lake.

    revertrisk whatif --lake lake --wiki enwiki --a-day 50
    """
    need_engines(html)
    from revertrisk.reports.whatif import Wish, what_if
    from revertrisk.reports.whatif_document import whatif_document, whatif_json

    wishes = [
        wish
        for wish, value in (
            (Wish(share_reverted=share), share),
            (Wish(a_day=a_day), a_day),
            (Wish(false_positive_rate=target_fpr), target_fpr),
        )
        if value is not None
    ]
    if judged is not None:
        _judged(lake, wiki, judged, seconds_of("horizon", horizon), as_json=as_json, html=html)
        return
    scored = _latest(lake, wiki, model, period_of(since, until))
    if review is not None:
        _draw(scored, review, sheet)
        return
    report = what_if(scored, seconds_of("horizon", horizon), skip_rules=automoderator_rules, wishes=wishes)
    write(report, whatif_json, whatif_document, as_json=as_json, html=html)
    raise typer.Exit(1 if any(each.refusal is not None for each in report.chosen) else 0)


def _draw(scored: "Scored", number: int, sheet: Path) -> None:
    import numpy as np

    from revertrisk.reports.review_draw import draw, write_sheet

    drawn = draw(scored, number, np.random.default_rng())
    try:
        files = write_sheet(sheet, drawn)
    except (OSError, ValueError) as exc:
        flags.refuse(ValueError(f"--sheet: {exc}"))
    typer.echo(f"{len(drawn.items)} edits for people to judge: {files[0]}, with links in {files[1]}")
    typer.echo(f"The scores are in {files[2]}: keep it from those who judge, and beside the sheet.")


def _judged(  # noqa: PLR0913 - of the command's flags
    lake: str, wiki: str, sheet: Path, horizon: float, *, as_json: bool, html: Path | None
) -> None:
    from revertrisk.reports.lake_edits import read_scored
    from revertrisk.reports.review import ReviewError, read_sheet, review
    from revertrisk.reports.review_document import review_document, review_json

    try:
        drawn, judgements = read_sheet(sheet)
    except ReviewError as exc:
        flags.refuse(exc)
    if drawn.wiki_id != wiki:
        flags.refuse(ValueError(f"--judged: {sheet} has edits of {drawn.wiki_id}, not of {wiki}"))
    with reading(lake) as reader:
        of_model = (drawn.model_name, drawn.model_version)
        for each in models_of(reader, [wiki], [drawn.model_name]):
            if (each.model_name, each.model_version) == of_model:
                scored = read_scored(reader, each)
                break
        else:
            flags.refuse(
                ValueError(f"--judged: the lake has no predictions of {' '.join(of_model)} any more")
            )
    report = review(drawn, judgements, scored.watched, horizon)
    write(report, review_json, review_document, as_json=as_json, html=html)


def _latest(lake: str, wiki: str, model: str, period: "Period") -> "Scored":
    """Return what the latest version of a model scored on a wiki; refuses where that is nothing."""
    from revertrisk.reports.lake_edits import read_scored

    with reading(lake) as reader:
        scored = read_scored(reader, models_of(reader, [wiki], [model])[-1], period)
    if not len(scored.watched):
        flags.refuse(
            ValueError(f"the lake has page_change events of no edit of {wiki} that {model} scored then")
        )
    return scored
