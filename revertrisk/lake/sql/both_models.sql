-- One row for each scored revision, with the probability of each model as in prediction_current; null if a model has no
-- prediction.
SELECT
    day,
    wiki_id,
    rev_id,
    MIN(page_id) AS page_id,
    MIN(dt) AS dt,
    MAX_BY(
        CASE WHEN model_name = 'revertrisk-language-agnostic' THEN probability END,
        CASE WHEN model_name = 'revertrisk-language-agnostic' THEN precedence END
    ) AS language_agnostic,
    MAX_BY(
        CASE WHEN model_name = 'revertrisk-multilingual' THEN probability END,
        CASE WHEN model_name = 'revertrisk-multilingual' THEN precedence END
    ) AS multilingual
FROM (
    SELECT day, wiki_id, rev_id, model_name, page_id, dt, probability, precedence
    FROM prediction
    UNION ALL
    SELECT CAST(rev_dt AS DATE) AS day, wiki_id, rev_id, model_name, page_id, dt, probability, precedence
    FROM prediction_backfill
) AS every_prediction
WHERE model_name IN ('revertrisk-language-agnostic', 'revertrisk-multilingual')
GROUP BY day, wiki_id, rev_id
