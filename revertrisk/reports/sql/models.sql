-- The model versions that scored edits of each wiki, with the times of its first and its last page_change event.
-- Predictions do not move the watermark: without page_change events it is not known what happened to the edits.
SELECT p.model_name, p.model_version, p.wiki_id, e.watermark, e.since
FROM (
    SELECT model_name, model_version, wiki_id, MIN(version_rank) AS version_rank FROM prediction GROUP BY 1, 2, 3
    UNION
    SELECT model_name, model_version, wiki_id, MIN(version_rank) FROM prediction_backfill GROUP BY 1, 2, 3
) AS p
LEFT JOIN (
    SELECT
        wiki_id,
        -- A time later than every watermark comes from a wrong clock and is left out.
        MAX(epoch(meta_dt)) FILTER ((meta_dt > (SELECT MAX(watermark) FROM place)) IS NOT TRUE) AS watermark,
        MIN(epoch(dt)) AS since
    FROM revision WHERE kind IS NOT NULL GROUP BY wiki_id
) AS e ON p.wiki_id = e.wiki_id
ORDER BY p.model_name, p.version_rank, p.model_version, p.wiki_id
