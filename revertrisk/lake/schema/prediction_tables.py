"""The tables of predictions: live ones, those of a backfill, and those of models on trial."""

from typing import Final

from revertrisk.lake.schema.columns import PAGE, REV, WIKI, Column, Table, Type, of_day, of_month

_PREDICTION: Final = (
    WIKI,
    REV,
    Column(
        "page_change_kind",
        Type.VARCHAR,
        "What happened to the page; a backfill says `edit` also where the live event said `move` or `undelete`.",
        "page_change_kind",
    ),
    Column("model_name", Type.VARCHAR, "The model.", "predicted_classification.model_name"),
    Column(
        "model_version",
        Type.VARCHAR,
        "The model's version. Scores of two versions are not comparable.",
        "predicted_classification.model_version",
    ),
    PAGE,
    Column(
        "probability",
        Type.DOUBLE,
        "Probability from 0 to 1 that the edit is reverted.",
        "predicted_classification.probabilities.true",
    ),
    Column(
        "predicted",
        Type.BOOLEAN,
        "Whether `true` is the likelier class: a cut at one half, no operating decision.",
        "predicted_classification.predictions",
    ),
    Column(
        "rev_dt",
        Type.TIMESTAMP,
        "When the revision was saved; on an undelete long before `dt`.",
        "revision.rev_dt",
    ),
    Column("dt", Type.TIMESTAMP, "When the page changed.", "dt"),
    Column("meta_dt", Type.TIMESTAMP, "When EventGate took the prediction.", "meta.dt"),
    Column("meta_id", Type.VARCHAR, "The prediction event's id, the same for every duplicate.", "meta.id"),
    Column("stream", Type.VARCHAR, "The stream that brought the row first.", "meta.stream"),
    Column(
        "version_rank",
        Type.VARCHAR,
        "Sorts as model versions do: runs of digits count as numbers.",
        "derived from model_version",
    ),
    Column(
        "precedence",
        Type.VARCHAR,
        "The greatest of a revision and model is the one that counts: the latest version, then live before backfill.",
        "derived from model_version, the table and page_change_kind",
    ),
)
_PREDICTION_KEY: Final = ("wiki_id", "rev_id", "page_change_kind", "model_name", "model_version")

PREDICTION: Final = Table(
    "prediction",
    "Live predictions of every model, one row for each natural key.",
    _PREDICTION_KEY,
    (of_day("revision.rev_dt"), *_PREDICTION),
    "day",
)
PREDICTION_BACKFILL: Final = Table(
    "prediction_backfill",
    "Predictions of the past, from streams that end in `.backfill`.",
    _PREDICTION_KEY,
    (of_month("revision.rev_dt"), *_PREDICTION),
    "month",
)
PREDICTION_SHADOW: Final = Table(
    "prediction_shadow",
    "Predictions of models on trial, from streams that end in `.shadow`. No view reads it.",
    _PREDICTION_KEY,
    (of_day("revision.rev_dt"), *_PREDICTION),
    "day",
)
