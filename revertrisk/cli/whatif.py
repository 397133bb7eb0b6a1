"""``revertrisk whatif``: what a threshold would do on a wiki, and judgements of its edits by people."""

# ruff: noqa: PLC0415 - database engines and statistics are imported only when a report is made

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from revertrisk.cli import dispatcher_flags as flags
from revertrisk.cli.lake import Lake
from revertrisk.cli.report_making import (
    AutomoderatorRules,
    Html,
    Json,
    Since,
    Until,
    models_of,
    period_of,
    prepare,
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
        str, typer.Option(help="The model. Its latest version that scored the wiki is used.")
    ] = ("revertrisk-language-agnostic"),
    since: Since = None,
    until: Until = None,
    horizon: Annotated[str, typer.Option(help="A revert counts within this time, in hours or days.")] = "48h",
    automoderator_rules: AutomoderatorRules = False,
    share: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=0.999,
            help="Find the threshold for at least this share reverted.",
        ),
    ] = None,
    a_day: Annotated[
        float | None,
        typer.Option(
            min=0.001, max=1e9, help="Find the threshold for at most this many flagged edits per day."
        ),
    ] = None,
    target_fpr: Annotated[
        float | None,
        typer.Option(
            min=0.0001,
            max=0.9999,
            help="Find the threshold for at most this false positive rate.",
        ),
    ] = None,
    review: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Draw N edits for people to judge, and write them to --sheet."),
    ] = None,
    sheet: Annotated[
        Path,
        typer.Option(
            dir_okay=False,
            help="With --review: the CSV file. A page of links and a key with the scores are written next to it.",
        ),
    ] = Path("review.csv"),
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="With --review: overwrite the sheet, the page and the key if they exist."
        ),
    ] = False,
    judged: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Report on a filled sheet: judgements of people, compared with reverts.",
        ),
    ] = None,
    as_json: Json = False,
    html: Html = None,
) -> None:
    """Report what a threshold would do on a wiki: flagged edits per day, share reverted, time saved.

    With --share, --a-day or --target-fpr, a threshold is chosen on the first two thirds of the days. Its figures are
    given for these and for the later days. With --review, the command draws edits by score and kind of user instead,
    for people to judge without seeing the scores.

    Exit status: 0 done, 1 no threshold can be chosen, or the lake is damaged, 2 a flag cannot be used, 78 there is no
    lake.

    revertrisk whatif --lake lake --wiki enwiki --a-day 50
    """
    prepare(html)
    from revertrisk.reports.whatif import ThresholdTarget, what_if
    from revertrisk.reports.whatif_document import whatif_document, whatif_json

    targets = [
        target
        for target, value in (
            (ThresholdTarget(share_reverted=share), share),
            (ThresholdTarget(a_day=a_day), a_day),
            (ThresholdTarget(false_positive_rate=target_fpr), target_fpr),
        )
        if value is not None
    ]
    if judged is not None:
        _judged(lake, wiki, judged, seconds_of("horizon", horizon), as_json=as_json, html=html)
        return
    scored = _latest(lake, wiki, model, period_of(since, until))
    if review is not None:
        _draw(scored, review, sheet, overwrite=force)
        return
    report = what_if(
        scored, seconds_of("horizon", horizon), automoderator_rules=automoderator_rules, targets=targets
    )
    write(report, whatif_json, whatif_document, as_json=as_json, html=html)
    raise typer.Exit(1 if any(each.refusal is not None for each in report.chosen) else 0)


def _draw(scored: "Scored", number: int, sheet: Path, *, overwrite: bool) -> None:
    import numpy as np

    from revertrisk.reports.review_draw import draw, write_sheet

    key = draw(scored, number, np.random.default_rng())
    try:
        files = write_sheet(sheet, key, overwrite=overwrite)
    except (OSError, ValueError) as exc:
        flags.refuse(ValueError(f"--sheet: {exc}"))
    typer.echo(f"{len(key.items)} edits for people to judge: {files[0]}, with links in {files[1]}")
    typer.echo(
        f"The scores are in {files[2]}. Keep it next to the sheet, and do not show it to the people who judge."
    )


def _judged(  # noqa: PLR0913 - flags of the command
    lake: str, wiki: str, sheet: Path, horizon: float, *, as_json: bool, html: Path | None
) -> None:
    from revertrisk.reports.lake_edits import read_scored
    from revertrisk.reports.review import ReviewError, read_sheet, review
    from revertrisk.reports.review_document import review_document, review_json

    try:
        key, judgements = read_sheet(sheet)
    except ReviewError as exc:
        flags.refuse(exc)
    if key.wiki_id != wiki:
        flags.refuse(ValueError(f"--judged: {sheet} has edits of {key.wiki_id}, not of {wiki}"))
    with reading(lake) as reader:
        of_model = (key.model_name, key.model_version)
        for each in models_of(reader, [wiki], [key.model_name]):
            if (each.model_name, each.model_version) == of_model:
                scored = read_scored(reader, each)
                break
        else:
            flags.refuse(ValueError(f"--judged: the lake no longer has predictions of {' '.join(of_model)}"))
    report = review(key, judgements, scored.watched, horizon)
    write(report, review_json, review_document, as_json=as_json, html=html)


def _latest(lake: str, wiki: str, model: str, period: "Period") -> "Scored":
    """Return the edits that the latest version of a model scored on a wiki; the command ends if there are none."""
    from revertrisk.reports.lake_edits import read_scored

    with reading(lake) as reader:
        scored = read_scored(reader, models_of(reader, [wiki], [model])[-1], period)
    if not len(scored.watched):
        flags.refuse(
            ValueError(
                f"the lake has no page_change events of edits of {wiki} in this period that {model} scored"
            )
        )
    return scored
