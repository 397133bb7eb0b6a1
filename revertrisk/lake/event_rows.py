"""The SQL that turns records into events: the fields to read, which events are valid, and rows of predictions."""

from typing import Final

from revertrisk.event_platform.streams import BACKFILL_SUFFIX, CANARY_DOMAIN, SHADOW_SUFFIX
from revertrisk.lake.schema import PREDICTION, PREDICTION_BACKFILL, PREDICTION_SHADOW

MAX_EVENT_BYTES: Final = 16 * 1024 * 1024

_USER: Final = (
    "STRUCT(user_text VARCHAR, user_id BIGINT, is_temp BOOLEAN, is_bot BOOLEAN, is_system BOOLEAN, "
    "edit_count BIGINT, registration_dt VARCHAR, groups VARCHAR[])"
)
_SLOTS: Final = "STRUCT(main STRUCT(content_model VARCHAR))"
_REVERT: Final = (
    "STRUCT(method VARCHAR, is_exact BOOLEAN, rev_original_id BIGINT, rev_reverted_oldest_id BIGINT, "
    "rev_reverted_newest_id BIGINT)"
)
FIELDS: Final = {
    "$schema": "VARCHAR",
    "meta": "STRUCT(dt VARCHAR, id VARCHAR, stream VARCHAR, domain VARCHAR)",
    "dt": "VARCHAR",
    "wiki_id": "VARCHAR",
    "page_change_kind": "VARCHAR",
    "page": "STRUCT(page_id BIGINT, page_title VARCHAR, namespace_id BIGINT, is_redirect BOOLEAN, "
    "namespace_is_content BOOLEAN)",
    "performer": _USER,
    "revision": f"STRUCT(rev_id BIGINT, rev_dt VARCHAR, rev_parent_id BIGINT, rev_sha1 VARCHAR, rev_size BIGINT, "
    f"is_minor_edit BOOLEAN, is_content_visible BOOLEAN, is_editor_visible BOOLEAN, editor {_USER}, "
    f"content_slots {_SLOTS}, revert {_REVERT})",
    "prior_state": "STRUCT(revision STRUCT(rev_id BIGINT, rev_sha1 VARCHAR, rev_size BIGINT, "
    "is_content_visible BOOLEAN))",
    "predicted_classification": "STRUCT(model_name VARCHAR, model_version VARCHAR, predictions VARCHAR[], "
    'probabilities STRUCT("true" DOUBLE))',
    # mediawiki/revision/visibility-change
    "database": "VARCHAR",
    "page_id": "BIGINT",
    "rev_id": "BIGINT",
    "rev_timestamp": "VARCHAR",
    "visibility": 'STRUCT("user" BOOLEAN)',
}


def instant(text: str) -> str:
    """Return SQL for the time in a text, in the formats of `parse_date_time`; null if it is not a time.

    A time before 1970 or after 2200 is null too: no edit has one, and some readers of the files cannot represent it.
    """
    parsed = (
        f"CASE WHEN {text} LIKE '____-__-__T%' THEN try_cast({text} AS TIMESTAMPTZ) "
        f"WHEN length({text}) > 10 "
        f"THEN try_cast(replace(upper({text}), '23:59:60', '23:59:59') AS TIMESTAMPTZ) END"
    )
    return f"list_filter([{parsed}], lambda t: t BETWEEN TIMESTAMPTZ '1970-01-01' AND TIMESTAMPTZ '2200-01-01')[1]"


_IS_PAGE_CHANGE: Final = (
    """("$schema" = '/mediawiki/page/change/1' OR "$schema" LIKE '/mediawiki/page/change/1.%')"""
)
WATERMARK: Final = f"SELECT max(meta_at) FROM event WHERE {_IS_PAGE_CHANGE} AND meta_at <= $1"
"""The latest meta.dt of page_change events, canaries included, up to the time $1.

Events of other streams do not count: without page_change events, no reverts are known.
"""


def make_events(source: str) -> str:
    """Return SQL that makes the table `event` of a source with the columns `FIELDS`: with each event's kind and times.

    The rowid of an event is its index in the batch, so all events stay in one table until the end.
    """
    return f"""
CREATE OR REPLACE TEMP TABLE event AS
SELECT
    CASE
        WHEN meta.domain = '{CANARY_DOMAIN}' THEN 'canary'
        WHEN "$schema" LIKE '/mediawiki/page/prediction_classification_change/1.%' THEN 'prediction'
        WHEN {_IS_PAGE_CHANGE} THEN 'page_change'
        WHEN "$schema" LIKE '/mediawiki/revision/visibility-change/1.%' THEN 'visibility'
        WHEN "$schema" IS NULL THEN 'not_an_event'
        ELSE 'other_schema'
    END AS what,
    {instant("meta.dt")} AS meta_at,
    {instant("dt")} AS happened_at,
    {instant("coalesce(revision.rev_dt, rev_timestamp)")} AS rev_at,
    *
FROM {source}
"""


_PREDICTION_IS_READABLE: Final = (
    "wiki_id IS NOT NULL AND page.page_id IS NOT NULL AND revision.rev_id > 0 AND page_change_kind IS NOT NULL "
    "AND happened_at IS NOT NULL AND meta_at IS NOT NULL AND rev_at IS NOT NULL AND meta.stream IS NOT NULL "
    "AND predicted_classification.model_name IS NOT NULL AND predicted_classification.model_version IS NOT NULL "
    'AND predicted_classification.probabilities."true" BETWEEN 0 AND 1'
)
_PAGE_CHANGE_IS_READABLE: Final = (
    "wiki_id IS NOT NULL AND page.page_id IS NOT NULL AND revision.rev_id > 0 AND page_change_kind IS NOT NULL "
    "AND happened_at IS NOT NULL AND meta_at IS NOT NULL AND rev_at IS NOT NULL"
)
VISIBILITY_IS_READABLE: Final = (
    '"database" IS NOT NULL AND rev_id > 0 AND rev_at IS NOT NULL AND meta_at IS NOT NULL '
    'AND visibility."user" IS NOT NULL'
)

UNREADABLE: Final = f"""
SELECT rowid AS number, what AS reason FROM event WHERE what IN ('not_an_event', 'other_schema')
UNION ALL SELECT rowid, 'invalid_event' FROM event WHERE what = 'prediction' AND NOT coalesce({_PREDICTION_IS_READABLE}, false)
UNION ALL SELECT rowid, 'invalid_event' FROM event WHERE what = 'page_change' AND NOT coalesce({_PAGE_CHANGE_IS_READABLE}, false)
UNION ALL SELECT rowid, 'invalid_event' FROM event WHERE what = 'visibility' AND NOT coalesce({VISIBILITY_IS_READABLE}, false)
"""  # noqa: E501 - a line for each kind

PREDICTIONS: Final = f"""
CREATE OR REPLACE TEMP TABLE predicted AS
SELECT
    rowid AS number, wiki_id, revision.rev_id AS rev_id, page_change_kind,
    predicted_classification.model_name AS model_name, predicted_classification.model_version AS model_version,
    page.page_id AS page_id,
    predicted_classification.probabilities."true" AS probability,
    list_contains(predicted_classification.predictions, 'true') AS predicted,
    rev_at AS rev_dt, happened_at AS dt, meta_at AS meta_dt, meta.id AS meta_id, meta.stream AS stream,
    CAST(rev_at AS DATE) AS day, CAST(date_trunc('month', rev_at) AS DATE) AS month
FROM event WHERE what = 'prediction' AND {_PREDICTION_IS_READABLE}
"""

CHANGES: Final = f"""
CREATE OR REPLACE TEMP VIEW change AS
SELECT
    event.*, event.rowid AS number, known_wiki.domain AS wiki_domain, known_wiki.is_scorable AS wiki_is_scorable,
    revision.rev_id AS changed_id,
    CAST(rev_at AS DATE) AS day,
    revision.is_editor_visible IS NOT DISTINCT FROM false AS hides_author,
    CASE
        WHEN revision.is_editor_visible IS NOT DISTINCT FROM false THEN NULL
        WHEN revision.editor IS NULL AND page_change_kind IN ('edit', 'create') THEN performer
        ELSE revision.editor
    END AS author,
    CASE WHEN prior_state.revision.rev_id = revision.rev_parent_id THEN prior_state.revision END AS parent
FROM event LEFT JOIN known_wiki USING (wiki_id) WHERE what = 'page_change' AND {_PAGE_CHANGE_IS_READABLE}
"""
"""Needs the table `known_wiki`: wiki_id, domain, is_scorable, and `event` as long as it is used.

It is a view, because to copy the events takes longer than to compute these columns several times.
"""

EDITED: Final = "SELECT quantile_disc(rev_at, 0.5) FROM change WHERE page_change_kind IN ('edit', 'create')"

DISTINCT: Final = {
    PREDICTION: f"predicted WHERE NOT ends_with(stream, '{BACKFILL_SUFFIX}') AND NOT ends_with(stream, '{SHADOW_SUFFIX}')",  # noqa: E501
    PREDICTION_BACKFILL: f"predicted WHERE ends_with(stream, '{BACKFILL_SUFFIX}')",
    PREDICTION_SHADOW: f"predicted WHERE ends_with(stream, '{SHADOW_SUFFIX}')",
}
