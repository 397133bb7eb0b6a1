-- One row for each scored revision, with the probability of each model; null where a model has no prediction.
SELECT
    wiki_id,
    rev_id,
    MIN(day) AS day,
    MIN(page_id) AS page_id,
    MIN(dt) AS dt,
    MAX(CASE WHEN model_name = 'revertrisk-language-agnostic' THEN probability END) AS language_agnostic,
    MAX(CASE WHEN model_name = 'revertrisk-multilingual' THEN probability END) AS multilingual
FROM prediction_current
WHERE model_name IN ('revertrisk-language-agnostic', 'revertrisk-multilingual')
GROUP BY wiki_id, rev_id
