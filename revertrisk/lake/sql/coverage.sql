-- How many edits each model scored, and why it did not score the others: the skip reason of the event, or `missing` if the
-- event has none.
SELECT
    e.day, e.wiki_id, m.model_name,
    CASE WHEN p.rev_id IS NOT NULL THEN 'predicted' WHEN e.skip_reason IS NOT NULL THEN e.skip_reason ELSE 'missing' END
        AS reason,
    COUNT(*) AS edits
FROM revision AS e
CROSS JOIN (SELECT DISTINCT model_name FROM prediction_current) AS m
LEFT JOIN prediction_current AS p
    ON e.wiki_id = p.wiki_id AND e.rev_id = p.rev_id AND e.day = p.day AND m.model_name = p.model_name
WHERE e.kind IS NOT NULL
GROUP BY 1, 2, 3, 4
