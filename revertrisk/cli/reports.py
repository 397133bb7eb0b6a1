"""``revertrisk outcomes``, ``bots`` and ``whatif``: reports over the lake."""

# ruff: noqa: PLC0415 - engines and statistics are imported when a report is made

import importlib.util
import re
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from revertrisk.cli import dispatcher_flags as flags
from revertrisk.cli.lake import EXIT_CONFIGURATION, Lake

if TYPE_CHECKING:
    from revertrisk.lake import Reader
    from revertrisk.reports.document import Document
    from revertrisk.reports.lake_edits import ModelVersion, Period, Scored

_UNITS: Final = {"h": 3600.0, "d": 86_400.0}

Wikis = Annotated[list[str], typer.Option("--wiki", help="Report on this wiki only; repeatable.")]
Models = Annotated[list[str], typer.Option("--model", help="Report on this model only; repeatable.")]
Since = Annotated[str | None, typer.Option(metavar="DAY", help="The first day of edits, such as 2026-11-01.")]
Until = Annotated[str | None, typer.Option(metavar="DAY", help="The last day of edits.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of text: all cells, all figures.")]
Html = Annotated[
    Path | None,
    typer.Option(dir_okay=False, help="Also write one page with tables and plots that needs no other file."),
]
Skipping = Annotated[
    bool,
    typer.Option(
        "--automoderator-rules",
        help="Leave out what Automoderator passes over: edits by bots and privileged editors, self-reverts, creations, "
        "null edits.",
    ),
]


def outcomes(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    lake: Lake,
    wiki: Wikis = [],  # noqa: B006 - Typer reads it
    model: Models = [],  # noqa: B006 - Typer reads it
    since: Since = None,
    until: Until = None,
    threshold: Annotated[
        list[float],
        typer.Option(
            min=0, max=1, help="An edit above it counts as flagged; repeatable. Default: 0.65, 0.87."
        ),
    ] = [],  # noqa: B006 - Typer reads it
    horizon: Annotated[
        list[str],
        typer.Option(
            help="How soon a revert must come, in hours or days; repeatable. Default: 48h, 7d, 30d."
        ),
    ] = [],  # noqa: B006 - Typer reads it
    matured: Annotated[
        bool,
        typer.Option(
            "--matured",
            help="Only edits older than the horizon, labelled as for training, as `evaluate` has it.",
        ),
    ] = False,
    as_json: Json = False,
    html: Html = None,
    serve: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="PORT",
            help="Serve the main figures to Prometheus instead, made anew every 15 minutes.",
        ),
    ] = None,
) -> None:
    """Say what came of the predictions: reverted or not, by model version, wiki and kind of user.

    Each figure has its interval, its n and its definition. Edits of any age count for as long as they were watched.

    Exit status: 0 done, 1 the lake is damaged, 2 a flag cannot be used, 78 there is no lake.

    revertrisk outcomes --lake lake --html outcomes.html
    """
    _need_engines("WARNING" if serve is None else "INFO")
    from revertrisk.reports.gauges import serve as serve_gauges
    from revertrisk.reports.lake_edits import read_scored
    from revertrisk.reports.outcomes import HORIZONS, THRESHOLDS, Asked, Outcomes
    from revertrisk.reports.outcomes import outcomes as make
    from revertrisk.reports.outcomes_document import outcomes_document, outcomes_json
    from revertrisk.runtime.metrics_port import MetricsPortError

    period = _period(since, until)
    asked = Asked(
        tuple(sorted(set(threshold))) or THRESHOLDS,
        tuple(sorted({_seconds("horizon", each) for each in horizon})) or HORIZONS,
        is_matured=matured,
    )

    def report() -> Outcomes:
        with _reading(lake) as reader:
            return make([read_scored(reader, each, period) for each in _models(reader, wiki, model)], asked)

    if serve is None:
        _write(report(), outcomes_json, outcomes_document, as_json=as_json, html=html)
        return
    if as_json or html is not None:
        flags.refuse(ValueError("--serve: not with --json or --html"))
    try:
        serve_gauges(report, serve)
    except MetricsPortError as exc:
        flags.refuse(ValueError(f"--serve: {exc}"))


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
    _need_engines()
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
        _judged(lake, wiki, judged, _seconds("horizon", horizon), as_json=as_json, html=html)
        return
    scored = _latest(lake, wiki, model, _period(since, until))
    if review is not None:
        _draw(scored, review, sheet)
        return
    report = what_if(scored, _seconds("horizon", horizon), skip_rules=automoderator_rules, wishes=wishes)
    _write(report, whatif_json, whatif_document, as_json=as_json, html=html)
    raise typer.Exit(1 if any(each.refusal is not None for each in report.chosen) else 0)


def bots(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    lake: Lake,
    wiki: Wikis = [],  # noqa: B006 - Typer reads it
    model: Annotated[str, typer.Option(help="The model beside the bots.")] = "revertrisk-multilingual",
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="An edit above it counts as flagged.")
    ] = 0.87,
    window: Annotated[
        str, typer.Option(help="How soon after the edit a revert must come, in hours or days.")
    ] = "24h",
    since: Since = None,
    until: Until = None,
    automoderator_rules: Skipping = False,
    as_json: Json = False,
    html: Html = None,
) -> None:
    """Compare the listed anti-vandalism bots with a model: reverts a day, and what both have in common (T374698).

    The bots are those of `revertrisk lake bots`; one that is listed later is named in old days too.

    Exit status: 0 done, 1 the lake is damaged, 2 a flag cannot be used, 78 there is no lake.

    revertrisk bots --lake lake --since 2026-10-01 --until 2026-10-31
    """
    _need_engines()
    from revertrisk.reports.bot_rows import read_bots, read_overlap, read_reverted
    from revertrisk.reports.bots import bots as make
    from revertrisk.reports.bots_document import bots_document, bots_json

    period, window_s = _period(since, until), _seconds("window", window)
    with _reading(lake) as reader:
        listed = read_bots(reader, wiki)
        if not listed:
            flags.refuse(
                ValueError("the lake lists no bots of these wikis: see `revertrisk lake bots --help`")
            )
        _models(reader, [], [model])
        wikis = sorted({each.wiki_id for each in listed})
        rows = read_reverted(reader, wikis, window_s, period)
        overlap = read_overlap(
            reader,
            wikis,
            model_name=model,
            threshold=threshold,
            window_s=window_s,
            period=period,
            skip_rules=automoderator_rules,
        )
    report = make(
        wikis,
        listed,
        rows,
        overlap,
        model_name=model,
        threshold=threshold,
        window_s=window_s,
        skip_rules=automoderator_rules,
    )
    _write(report, bots_json, bots_document, as_json=as_json, html=html)


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
    with _reading(lake) as reader:
        of_model = (drawn.model_name, drawn.model_version)
        for each in _models(reader, [wiki], [drawn.model_name]):
            if (each.model_name, each.model_version) == of_model:
                scored = read_scored(reader, each)
                break
        else:
            flags.refuse(
                ValueError(f"--judged: the lake has no predictions of {' '.join(of_model)} any more")
            )
    report = review(drawn, judgements, scored.watched, horizon)
    _write(report, review_json, review_document, as_json=as_json, html=html)


def _latest(lake: str, wiki: str, model: str, period: "Period") -> "Scored":
    """Return what the latest version of a model scored on a wiki; refuses where that is nothing."""
    from revertrisk.reports.lake_edits import read_scored

    with _reading(lake) as reader:
        scored = read_scored(reader, _models(reader, [wiki], [model])[-1], period)
    if not len(scored.watched):
        flags.refuse(
            ValueError(f"the lake has page_change events of no edit of {wiki} that {model} scored then")
        )
    return scored


def _models(reader: "Reader", wikis: Collection[str], names: Collection[str]) -> "list[ModelVersion]":
    from revertrisk.reports.lake_edits import read_models

    known = read_models(reader)
    _check("wiki", wikis, {each.wiki_id for model in known for each in model.wikis})
    _check("model", names, {model.model_name for model in known})
    found = read_models(reader, wikis=wikis, model_names=names)
    if not found:
        flags.refuse(ValueError("the lake has no predictions of these wikis by these models"))
    return found


def _check(flag: str, asked: Collection[str], known: Collection[str]) -> None:
    for each in asked:
        if each not in known:
            names = ", ".join(sorted(known)[:20]) or "none at all"
            flags.refuse(ValueError(f"--{flag}: the lake has no predictions of {each!r}; it has {names}"))


@contextmanager
def _reading(lake: str) -> "Iterator[Reader]":
    from revertrisk.lake import LakeError, Reader

    try:
        with closing(Reader(lake)) as reader:
            yield reader
    except LakeError as exc:
        _end(exc, exc.exit_status)


def _write(
    report: Any,
    to_json: Callable[[Any], dict[str, Any]],
    to_document: "Callable[[Any], Document]",
    *,
    as_json: bool,
    html: Path | None,
) -> None:
    import orjson

    from revertrisk.reports.document import as_text

    if html is not None:
        from revertrisk.reports.page import as_html

        try:
            html.write_text(as_html(to_document(report)), encoding="utf-8")
        except OSError as exc:
            flags.refuse(ValueError(f"--html: {html} cannot be written: {exc.strerror}"))
    if as_json:
        content = orjson.dumps(to_json(report), default=str, option=orjson.OPT_INDENT_2)
        typer.echo(content.decode())
    else:
        typer.echo(as_text(to_document(report)), nl=False)


def _period(since: str | None, until: str | None) -> "Period":
    from revertrisk.reports.lake_edits import Period

    days: dict[str, date | None] = {"since": None, "until": None}
    for flag, text in (("since", since), ("until", until)):
        if text is None:
            continue
        try:
            days[flag] = date.fromisoformat(text)
        except ValueError:
            flags.refuse(ValueError(f"--{flag}: expected a day such as 2026-11-01, not {text!r}"))
    return Period(days["since"], days["until"])


def _seconds(flag: str, text: str) -> float:
    found = re.fullmatch(r"(\d{1,4})([hd])", text)
    if found is None or int(found[1]) == 0:
        flags.refuse(ValueError(f"--{flag}: expected hours or days such as 48h or 7d, not {text!r}"))
    return int(found[1]) * _UNITS[found[2]]


def _need_engines(level: str = "WARNING") -> None:
    needed = ("deltalake", "duckdb", "matplotlib", "scipy", "statsmodels")
    if any(importlib.util.find_spec(name) is None for name in needed):
        problem = "reports need the extra: pip install 'revertrisk-events[reports]'"
        _end(ValueError(problem), EXIT_CONFIGURATION)
    from revertrisk.runtime.logs import configure_logging_from_environment

    try:
        configure_logging_from_environment(level, sys.stderr)
    except ValueError as exc:
        _end(exc, EXIT_CONFIGURATION)


def _end(problem: Exception, status: int) -> NoReturn:
    typer.echo(f"revertrisk: {problem}", err=True)
    raise typer.Exit(status)
