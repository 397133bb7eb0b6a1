"""The commands that make and check models: train, label, evaluate, thresholds, explain."""

# ruff: noqa: PLC0415 - each command imports what it needs: torch and scikit-learn are large, and optional

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Literal

import typer

from revertrisk.cli.dispatcher_flags import refuse
from revertrisk.cli.label import label
from revertrisk.cli.steps import Steps
from revertrisk.runtime.json_documents import json_text
from revertrisk.runtime.output_files import is_same_file

app = typer.Typer(no_args_is_help=True)

Model = Annotated[str, typer.Option(help="The name of a shipped model, or an artefact folder.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")]


@app.command()
def train(
    data: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The folder of labelled files.")],
    model: Annotated[str, typer.Option(help="Which model to train.")],
    out: Annotated[Path, typer.Option(file_okay=False, help="The artefact folder to write.")],
    seed: Annotated[
        int, typer.Option(min=0, help="The seed for the split of the data and for the initial weights.")
    ] = 0,
    splits: Annotated[int, typer.Option(min=1, help="The number of splits of the data to evaluate on.")] = 1,
) -> None:
    """Train a model, compare it with its baselines, and write its artefact folder with a model card.

    The same files and seed give the same artefact.
    """
    from revertrisk.scoring.classifier import limit_threads
    from revertrisk.scoring.training.examples import TrainingError
    from revertrisk.scoring.training.train import train as train_model

    limit_threads(1)  # with more threads the order of sums, and so the weights, would vary
    try:
        _check_folder("out", out)
        with Steps() as steps:
            report = train_model(data, model, out, seed=seed, splits=splits, progress=steps.begin)
    except (TrainingError, OSError) as exc:
        refuse(exc)
    typer.echo(report.summary())


app.command()(label)


@app.command()
def evaluate(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    model: Model,
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="A labelled file.")],
    file_format: Annotated[
        str | None,
        typer.Option("--format", help="The format of the file. Default: recognised by its fields."),
    ] = None,
    base_rate: Annotated[
        float | None,
        typer.Option(
            min=0.0001,
            max=0.9999,
            help="Weight the edits so that this share is reverted (calibration, precision).",
        ),
    ] = None,
    as_json: Json = False,
    html: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Also write an HTML report with plots.")
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Also write each score with its label, for `thresholds`."),
    ] = None,
) -> None:
    """Compare the scores of a model with labels, by kind of author and by wiki; each figure has a 95 % interval."""
    from revertrisk.scoring.artifact import ArtifactError
    from revertrisk.scoring.training.evaluate_file import evaluate_file
    from revertrisk.scoring.training.examples import TrainingError
    from revertrisk.scoring.training.model_card import figures_report
    from revertrisk.scoring.training.report import html_report
    from revertrisk.scoring.training.scored_edits import write_scores

    _check_output("html", html)
    _check_output("scores", scores)
    for flag, path, other in (("html", html, data), ("scores", scores, data), ("scores", scores, html)):
        if path is not None and other is not None and is_same_file(path, other):
            refuse(ValueError(f"--{flag}: {path} is another file of this command; give another one"))
    try:
        result = evaluate_file(_folder(model), data, file_format=file_format, base_rate=base_rate)
        if html is not None:
            html.write_text(html_report(result), encoding="utf-8")
        if scores is not None:
            write_scores(scores, result.predictions, result.dataset.examples)
    except (ArtifactError, TrainingError, OSError) as exc:
        refuse(exc)
    if as_json:
        about = {
            "model_name": result.model_name,
            "model_version": result.model_version,
            "data": {"file": result.dataset.file_name, "sha256": result.dataset.sha256},
        }
        typer.echo(json.dumps({**about, **result.evaluation.to_json()}, indent=1))
    else:
        typer.echo(figures_report({result.dataset.name: result.evaluation}, {}))


@app.command()
def thresholds(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    scores: Annotated[
        Path,
        typer.Option(
            exists=True, dir_okay=False, help="Scores with labels, from `evaluate --scores` or CSV."
        ),
    ],
    target_fpr: Annotated[
        float, typer.Option(min=0.0001, max=0.9999, help="The maximum false positive rate.")
    ],
    model: Annotated[
        str | None,
        typer.Option(help="The model whose scores are used. In JSON lines, other scores are an error."),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(
            help="Its version, checked in the same way. Scores of production have the version `production`."
        ),
    ] = None,
    smallest: Annotated[
        int, typer.Option(min=1, help="The minimum number of edits that were not reverted.")
    ] = 200,
    as_json: Json = False,
) -> None:
    """Find the lowest threshold with at most a given false positive rate, for each wiki and kind of author."""
    from revertrisk.reports.thresholds import find_limits, limits_json, limits_table
    from revertrisk.scoring.training.examples import TrainingError
    from revertrisk.scoring.training.scored_edits import read_scores

    try:
        models = read_scores(scores, model_name=model, model_version=version)
    except TrainingError as exc:
        refuse(exc)
    found = {key: find_limits(edits, target_fpr, smallest=smallest) for key, edits in models.items()}
    if as_json:
        content = [
            {"model_name": name, "model_version": of_version, "limits": limits_json(limits)}
            for (name, of_version), limits in found.items()
        ]
        typer.echo(json.dumps(content, indent=1))
        return
    for (name, of_version), limits in found.items():
        typer.echo(f"{name} {of_version}, at most {target_fpr:.1%} of the edits that were not reverted\n")
        typer.echo(limits_table(limits, smallest))


@app.command()
def explain(  # noqa: PLR0913, PLR0917 - each parameter is a flag
    model: Model,
    lang: Annotated[
        str | None, typer.Option(help="A language code, a subdomain or a wiki id; with --rev-id.")
    ] = None,
    rev_id: Annotated[int | None, typer.Option(help="A revision, fetched from the wiki.")] = None,
    wiki_url: Annotated[
        str | None,
        typer.Option(help="An internal MediaWiki. Default: the wiki's public host (env: WIKI_URL)."),
    ] = None,
    old: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file with the text before the edit.")
    ] = None,
    new: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file with the text after the edit.")
    ] = None,
    user: Annotated[
        Literal["registered", "temporary", "ip", "unknown"],
        typer.Option(help="The kind of user of the edit."),
    ] = "unknown",
    comment: Annotated[str | None, typer.Option(help="The comment of the edit.")] = None,
    as_json: Json = False,
) -> None:
    """Score one edit, and show the effect of each feature and the changes with the largest effect.

    The edit is a revision of a wiki (--lang and --rev-id), or two files (--old and --new).
    """
    from revertrisk.cli.explain import UnexplainedError, explain_files, explain_revision, show
    from revertrisk.scoring.artifact import ArtifactError
    from revertrisk.wiki.user_kinds import UserKind

    try:
        if old is not None and new is not None and lang is None and rev_id is None:
            answer = explain_files(_folder(model), old, new, UserKind(user), comment)
        elif lang is not None and rev_id is not None and old is None and new is None:
            answer = explain_revision(_folder(model), lang, rev_id, wiki_url)
        else:
            refuse(UnexplainedError("expected --lang and --rev-id, or --old and --new"))
    except (ArtifactError, UnexplainedError) as exc:
        refuse(exc)
    typer.echo(json_text(answer, sys.stdout, indent=1) if as_json else show(answer))


def _folder(model: str) -> Path:
    """Return the artefact folder: ``model`` is its path, or the name of a shipped model."""
    from revertrisk.scoring.artifact import METADATA, ArtifactError, shipped

    if (Path(model) / METADATA).is_file():
        return Path(model)
    try:
        return shipped(model)
    except ArtifactError as exc:
        refuse(ValueError(f"--model: {exc.problem}, or an artefact folder, not {model!r}"))


def _check_folder(flag: str, path: Path) -> None:
    """Exit with an error if a folder cannot be made or written to, before the long computation."""
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    try:
        with TemporaryFile(dir=there):
            pass
    except OSError as exc:
        refuse(ValueError(f"--{flag}: {path} cannot be written: {exc.strerror}"))


def _check_output(flag: str, path: Path | None) -> None:
    """Exit with an error if a file cannot be written, before the long computation."""
    if path is None:
        return
    if not path.parent.is_dir():
        refuse(ValueError(f"--{flag}: {path.parent} is not a folder"))
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        refuse(ValueError(f"--{flag}: {path} cannot be written"))
