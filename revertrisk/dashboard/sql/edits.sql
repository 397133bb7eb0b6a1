-- Edits a minute, and how many of them are above the model's threshold. A bin without edits has no row.
SELECT
    time_bucket(INTERVAL (:bin_minutes) MINUTE, e.dt) AS "time",
    count(*) / :bin_minutes AS edits_a_minute,
    count(*) FILTER (p.probability > coalesce(t.threshold, a.threshold, :threshold)) / :bin_minutes AS high_risk_a_minute
FROM revision AS e
LEFT JOIN prediction_current AS p
    ON e.wiki_id = p.wiki_id AND e.rev_id = p.rev_id AND e.day = p.day AND p.model_name = :model
LEFT JOIN :thresholds AS t (model_version, wiki_id, threshold)
    ON p.model_version = t.model_version AND p.wiki_id = t.wiki_id
LEFT JOIN :thresholds AS a (model_version, wiki_id, threshold)
    ON p.model_version = a.model_version AND a.wiki_id = 'all'
WHERE e.kind IS NOT NULL
    AND e.dt >= :since AND e.dt < :until
    AND e.day >= CAST(:since AS DATE) AND e.day <= CAST(:until AS DATE)
    AND e.wiki_id = :wiki
    AND e.user_kind = :user
GROUP BY ALL
ORDER BY "time"
