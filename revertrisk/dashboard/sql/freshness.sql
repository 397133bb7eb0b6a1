-- The time from the receipt of a page_change event to the receipt of its prediction, and how many edits have no
-- prediction. Edits with a reason to skip them are not missing. Edits of wikis on which the lake has no prediction of the
-- model at all are counted apart, because usually the model does not support these wikis. The times do not include
-- backfilled predictions.
WITH scored AS (
    SELECT DISTINCT model_name, wiki_id FROM prediction_current
)
SELECT
    m.model_name,
    count(p.rev_id) AS predicted,
    count(*) FILTER (p.rev_id IS NULL AND e.skip_reason IS NULL AND s.wiki_id IS NOT NULL) AS missing,
    count(*) FILTER (p.rev_id IS NULL AND e.skip_reason IS NULL AND s.wiki_id IS NULL) AS on_unscored_wikis,
    count(*) FILTER (p.rev_id IS NULL AND e.skip_reason IS NOT NULL) AS not_to_be_scored,
    median(epoch(p.meta_dt) - epoch(e.meta_dt)) FILTER (p.source = 'live') AS median_seconds,
    quantile_cont(epoch(p.meta_dt) - epoch(e.meta_dt), 0.99) FILTER (p.source = 'live') AS slowest_hundredth_seconds
FROM revision AS e
CROSS JOIN (SELECT DISTINCT model_name FROM scored) AS m
LEFT JOIN scored AS s ON e.wiki_id = s.wiki_id AND m.model_name = s.model_name
LEFT JOIN prediction_current AS p
    ON e.wiki_id = p.wiki_id AND e.rev_id = p.rev_id AND e.day = p.day AND m.model_name = p.model_name
WHERE e.kind IS NOT NULL
    AND e.dt >= :since AND e.dt < :until
    AND e.day >= CAST(:since AS DATE) AND e.day <= CAST(:until AS DATE)
    AND e.wiki_id = :wiki
    AND e.user_kind = :user
GROUP BY m.model_name
ORDER BY m.model_name
