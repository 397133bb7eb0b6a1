-- The current prediction of each model for each page: as in docs/STREAM.md, the maximum by revision, model version, meta.dt
-- and meta.id.
SELECT wiki_id, page_id, model_name, rev_id, model_version, probability, predicted, dt, meta_dt, meta_id
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY model_name, wiki_id, page_id
            ORDER BY rev_id DESC, version_rank DESC, meta_dt DESC, meta_id DESC
        ) AS place
    FROM (
        SELECT
            wiki_id, page_id, model_name, rev_id, model_version, version_rank, probability, predicted, dt, meta_dt,
            meta_id
        FROM prediction
        UNION ALL
        SELECT
            wiki_id, page_id, model_name, rev_id, model_version, version_rank, probability, predicted, dt, meta_dt,
            meta_id
        FROM prediction_backfill
    ) AS every_prediction
) AS ranked
WHERE place = 1
