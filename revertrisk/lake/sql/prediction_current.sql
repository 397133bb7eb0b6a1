-- One row for each revision and model: the latest model version; of that, live before backfill, whatever the kind.
-- Predictions of models on trial (prediction_shadow) are not here.
SELECT
    day, wiki_id, rev_id, page_id, model_name, model_version, probability, predicted, dt, meta_dt, meta_id,
    page_change_kind, source
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY wiki_id, rev_id, model_name
            ORDER BY version_rank DESC, source DESC, meta_dt DESC, meta_id DESC, page_change_kind DESC
        ) AS place
    FROM (
        SELECT
            day, wiki_id, rev_id, page_id, model_name, model_version, version_rank, probability, predicted, dt,
            meta_dt, meta_id, page_change_kind, 'live' AS source
        FROM prediction
        UNION ALL
        SELECT
            CAST(dt AS DATE) AS day, wiki_id, rev_id, page_id, model_name, model_version, version_rank, probability,
            predicted, dt, meta_dt, meta_id, page_change_kind, 'backfill' AS source
        FROM prediction_backfill
    ) AS every_prediction
) AS ranked
WHERE place = 1
