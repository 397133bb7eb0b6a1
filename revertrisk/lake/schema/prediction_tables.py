"""The tables of predictions: live, of a backfill, and of models on trial."""

from typing import Final

from revertrisk.lake.schema.columns import PAGE, REV, WIKI, Column, Table, Type, of_day, of_month

_PREDICTION: Final = (
    WIKI,
    REV,
    Column(
        "page_change_kind",
        Type.VARCHAR,
        "The kind of page change. A backfill has `edit` where the live event had `move` or `undelete`.",
        "page_change_kind",
    ),
    Column("model_name", Type.VARCHAR, "The name of the model.", "predicted_classification.model_name"),
    Column(
        "model_version",
        Type.VARCHAR,
        "The version of the model. Scores of different versions are not comparable.",
        "predicted_classification.model_version",
    ),
    PAGE,
    Column(
        "probability",
        Type.DOUBLE,
        "The probability, from 0 to 1, that the edit is reverted.",
        "predicted_classification.probabilities.true",
    ),
    Column(
        "predicted",
        Type.BOOLEAN,
        "Whether `true` is the more likely class. This is not an operating threshold.",
        "predicted_classification.predictions",
    ),
    Column(
        "rev_dt",
        Type.TIMESTAMP,
        "When the revision was saved. For an undelete this can be long before `dt`.",
        "revision.rev_dt",
    ),
    Column("dt", Type.TIMESTAMP, "When the page changed.", "dt"),
    Column("meta_dt", Type.TIMESTAMP, "When EventGate accepted the prediction.", "meta.dt"),
    Column(
        "meta_id", Type.VARCHAR, "The id of the prediction event; duplicates have the same id.", "meta.id"
    ),
    Column("stream", Type.VARCHAR, "The stream from which the row was first written.", "meta.stream"),
    Column(
        "version_rank",
        Type.VARCHAR,
        "A text that sorts in the order of model versions, with digits compared as numbers.",
        "derived from model_version",
    ),
    Column(
        "precedence",
        Type.VARCHAR,
        "Of the rows of a revision and model, the one with the greatest value is valid: the latest version, then live "
        "before backfill.",
        "derived from model_version, the table and page_change_kind",
    ),
)
_PREDICTION_KEY: Final = ("wiki_id", "rev_id", "page_change_kind", "model_name", "model_version")

PREDICTION: Final = Table(
    "prediction",
    "Live predictions of all models, one row for each key.",
    _PREDICTION_KEY,
    (of_day("revision.rev_dt"), *_PREDICTION),
    "day",
)
PREDICTION_BACKFILL: Final = Table(
    "prediction_backfill",
    "Predictions for past edits, from streams whose names end in `.backfill`.",
    _PREDICTION_KEY,
    (of_month("revision.rev_dt"), *_PREDICTION),
    "month",
)
PREDICTION_SHADOW: Final = Table(
    "prediction_shadow",
    "Predictions of models on trial, from streams whose names end in `.shadow`. No view reads this table.",
    _PREDICTION_KEY,
    (of_day("revision.rev_dt"), *_PREDICTION),
    "day",
)
