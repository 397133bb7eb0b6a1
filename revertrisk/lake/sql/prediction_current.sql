-- One row for each revision and model: the latest model version; of that, live before backfill, whatever the kind.
-- Predictions of models on trial (prediction_shadow) are not here. A filter on day reads the files of those days only; it is
-- the day on which the revision was saved, as in the table revision.
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
