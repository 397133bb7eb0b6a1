-- The share of scored edits above the threshold, wiki by wiki and model version by version.
SELECT
    p.wiki_id,
    count(*) FILTER (p.probability > coalesce(t.threshold, a.threshold, :threshold)) / count(*) AS share,
    count(*) AS edits,
    count(*) FILTER (p.probability > coalesce(t.threshold, a.threshold, :threshold)) AS above_threshold,
    coalesce(t.threshold, a.threshold, :threshold) AS threshold,
    p.model_version
FROM prediction_current AS p
JOIN revision AS e ON p.wiki_id = e.wiki_id AND p.rev_id = e.rev_id AND p.day = e.day
LEFT JOIN :thresholds AS t (model_version, wiki_id, threshold)
    ON p.model_version = t.model_version AND p.wiki_id = t.wiki_id
LEFT JOIN :thresholds AS a (model_version, wiki_id, threshold)
    ON p.model_version = a.model_version AND a.wiki_id = 'all'
WHERE p.model_name = :model
    AND p.dt >= :since AND p.dt < :until
    AND p.day >= CAST(:since AS DATE) AND p.day <= CAST(:until AS DATE)
    AND p.wiki_id = :wiki
    AND e.user_kind = :user
GROUP BY ALL
ORDER BY share DESC, edits DESC, p.wiki_id, p.model_version
LIMIT 400
