-- Edits that somebody else reverted within the window, or that the model flags. Only content namespaces, no page
-- creations and null edits. The bot is the listed bot that made the first revert, if it is listed for that day.
SELECT
    w.place AS wiki,
    o.page_id,
    FLOOR(epoch(o.dt) / 86400) AS edit_day,
    COALESCE(b.name, '') AS bot,
    COALESCE(o.seconds_to_revert <= {window_s}, FALSE) AS is_reverted,
    o.seconds_to_revert AS seconds,
    COALESCE(o.by_bot, FALSE) OR b.name IS NOT NULL AS by_bot,
    p.probability IS NOT NULL AS is_scored,
    COALESCE(p.probability > {threshold}, FALSE) AS is_flagged,
    COALESCE(o.is_bot, FALSE) OR COALESCE(o.is_privileged, FALSE) OR COALESCE(o.is_autopatrolled, FALSE)
        OR s.rev_id IS NOT NULL AS is_skipped_by_automoderator
FROM outcome AS o
JOIN revision AS e ON o.wiki_id = e.wiki_id AND o.rev_id = e.rev_id AND o.day = e.day
JOIN (VALUES {wikis}) AS w (wiki_id, place) ON o.wiki_id = w.wiki_id
LEFT JOIN prediction_current AS p
    ON o.wiki_id = p.wiki_id AND o.rev_id = p.rev_id AND o.day = p.day AND p.model_name = {model_name}
LEFT JOIN revert AS u ON o.wiki_id = u.wiki_id AND o.first_revert_id = u.rev_id
LEFT JOIN bot AS b
    ON u.wiki_id = b.wiki_id AND u.actor_key = b.actor_key
    AND (b.valid_from IS NULL OR u.day >= b.valid_from) AND (b.valid_to IS NULL OR u.day <= b.valid_to)
LEFT JOIN (SELECT DISTINCT wiki_id, first_revert_id AS rev_id FROM reverted WHERE is_self) AS s
    ON o.wiki_id = s.wiki_id AND o.rev_id = s.rev_id
WHERE o.is_content_namespace
    AND o.parent_id <> 0
    AND NOT COALESCE(e.is_null_edit, FALSE)
    AND NOT COALESCE(o.is_self, FALSE)
    AND (COALESCE(o.seconds_to_revert <= {window_s}, FALSE) OR COALESCE(p.probability > {threshold}, FALSE))
    AND o.day >= {since} AND o.day <= {until}
ORDER BY wiki, o.page_id, o.rev_id
