-- The edits that one model version scored, with what happened to each. A live prediction comes before one from backfill.
-- Times are in seconds since the edit. An edit without a page_change event in the lake has no dt and is only counted.
SELECT
    w.place AS wiki,
    p.page_id,
    p.rev_id,
    p.probability,
    epoch(o.dt) AS dt,
    CASE
        WHEN o.is_bot THEN 8
        WHEN o.user_kind = 'ip' THEN 0
        WHEN o.user_kind = 'temporary' THEN 1
        WHEN o.user_kind <> 'registered' THEN 9
        WHEN o.edit_bucket = '0' THEN 2
        WHEN o.edit_bucket = '1-9' THEN 3
        WHEN o.edit_bucket = '10-99' THEN 4
        WHEN o.edit_bucket = '100-499' THEN 5
        WHEN o.edit_bucket = '500+' THEN 6
        ELSE 7
    END AS kind,
    o.seconds_to_revert AS revert_after,
    epoch(o.revert_reverted_at) - epoch(o.dt) - o.seconds_to_revert AS undone_after,
    epoch(o.deleted_at) - epoch(o.dt) AS deleted_after,
    CASE
        WHEN o.is_self THEN 4
        WHEN b.acts_on = 'model' THEN 3
        WHEN o.by_bot OR b.name IS NOT NULL THEN 2
        ELSE 1
    END AS reverter,
    COALESCE(e.is_null_edit, FALSE) AS is_null_edit,
    COALESCE(o.is_bot, FALSE) OR COALESCE(o.is_privileged, FALSE) OR COALESCE(o.is_autopatrolled, FALSE)
        OR COALESCE(o.parent_id = 0, FALSE) OR COALESCE(e.is_null_edit, FALSE) OR s.rev_id IS NOT NULL
        AS is_skipped_by_automoderator
FROM (
    SELECT
        day, wiki_id, rev_id,
        MIN(page_id) AS page_id,
        MAX_BY(probability, precedence) AS probability
    FROM (
        SELECT day, wiki_id, rev_id, page_id, model_name, model_version, probability, precedence
        FROM prediction
        UNION ALL
        SELECT
            CAST(rev_dt AS DATE) AS day, wiki_id, rev_id, page_id, model_name, model_version, probability, precedence
        FROM prediction_backfill
    ) AS every_prediction
    WHERE model_name = {model_name} AND model_version = {model_version} AND day >= {since} AND day <= {until}
    GROUP BY day, wiki_id, rev_id
) AS p
JOIN (VALUES {wikis}) AS w (wiki_id, place) ON p.wiki_id = w.wiki_id
LEFT JOIN outcome AS o ON p.wiki_id = o.wiki_id AND p.rev_id = o.rev_id AND p.day = o.day
LEFT JOIN revision AS e ON p.wiki_id = e.wiki_id AND p.rev_id = e.rev_id AND p.day = e.day
LEFT JOIN revert AS u ON o.wiki_id = u.wiki_id AND o.first_revert_id = u.rev_id
LEFT JOIN bot AS b
    ON u.wiki_id = b.wiki_id AND u.actor_key = b.actor_key
    AND (b.valid_from IS NULL OR u.day >= b.valid_from) AND (b.valid_to IS NULL OR u.day <= b.valid_to)
-- Edits that revert an edit of their own author.
LEFT JOIN (SELECT DISTINCT wiki_id, first_revert_id AS rev_id FROM reverted WHERE is_self) AS s
    ON p.wiki_id = s.wiki_id AND p.rev_id = s.rev_id
ORDER BY wiki, p.page_id, p.rev_id
