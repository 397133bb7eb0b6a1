-- One row for each revision and model, of any page_change_kind: the latest model version, and of that live before backfill.
-- It has no predictions of models on trial (prediction_shadow). day is the day on which the revision was saved, as in the
-- table revision; a filter on day reads only the files of those days.
SELECT
    day,
    wiki_id,
    rev_id,
    model_name,
    MIN(page_id) AS page_id,
    MIN(dt) AS dt,
    MAX_BY(model_version, precedence) AS model_version,
    MAX_BY(probability, precedence) AS probability,
    MAX_BY(predicted, precedence) AS predicted,
    MAX_BY(meta_dt, precedence) AS meta_dt,
    MAX_BY(meta_id, precedence) AS meta_id,
    MAX_BY(page_change_kind, precedence) AS page_change_kind,
    MAX_BY(source, precedence) AS source
FROM (
    SELECT
        day, wiki_id, rev_id, model_name, page_id, dt, model_version, probability, predicted, meta_dt, meta_id,
        page_change_kind, precedence, 'live' AS source
    FROM prediction
    UNION ALL
    SELECT
        CAST(rev_dt AS DATE) AS day, wiki_id, rev_id, model_name, page_id, dt, model_version, probability, predicted,
        meta_dt, meta_id, page_change_kind, precedence, 'backfill' AS source
    FROM prediction_backfill
) AS every_prediction
GROUP BY day, wiki_id, rev_id, model_name
