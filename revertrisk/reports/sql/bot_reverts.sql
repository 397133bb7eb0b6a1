-- Edits whose first revert was made in the period and within the window, with this revert and the edit that reverted it.
-- Only content namespaces, no page creations. Rows that the rules of the report leave out are included, and marked.
SELECT
    w.place AS wiki,
    u.page_id,
    u.rev_id,
    FLOOR(epoch(e.dt) / 86400) AS edit_day,
    FLOOR(epoch(u.dt) / 86400) AS revert_day,
    CASE e.user_kind WHEN 'ip' THEN 0 WHEN 'temporary' THEN 1 WHEN 'registered' THEN 2 ELSE 3 END AS kind,
    CASE e.edit_bucket
        WHEN '0' THEN 0 WHEN '1-9' THEN 0 WHEN '10-99' THEN 0 WHEN '100-499' THEN 1 WHEN '500+' THEN 2 ELSE 3
    END AS edit_bucket,
    COALESCE(b.name, '') AS bot,
    (b.valid_from IS NULL OR u.day >= b.valid_from) AND (b.valid_to IS NULL OR u.day <= b.valid_to) AS is_valid,
    COALESCE(r.is_self, FALSE) AS is_self,
    COALESCE(e.is_null_edit, FALSE) AS is_null_edit,
    COALESCE(n.rev_id, 0) AS undone_by,
    CASE
        WHEN n.rev_id IS NULL THEN 0
        WHEN r.by_base_editor THEN 1
        WHEN n.user_kind <> 'registered' OR n.edit_bucket IN ('0', '1-9', '10-99') THEN 2
        WHEN n.edit_bucket = '500+' THEN 3
        ELSE 4
    END AS undone_by_whom
FROM reverted AS r
JOIN revision AS e ON r.wiki_id = e.wiki_id AND r.rev_id = e.rev_id AND r.day = e.day
JOIN revert AS u ON r.wiki_id = u.wiki_id AND r.first_revert_id = u.rev_id
JOIN (VALUES {wikis}) AS w (wiki_id, place) ON r.wiki_id = w.wiki_id
LEFT JOIN bot AS b ON u.wiki_id = b.wiki_id AND u.actor_key = b.actor_key
LEFT JOIN reverted AS t ON u.wiki_id = t.wiki_id AND u.rev_id = t.rev_id AND u.day = t.day
LEFT JOIN revision AS n ON t.wiki_id = n.wiki_id AND t.first_revert_id = n.rev_id
WHERE e.is_content_namespace
    AND e.parent_id <> 0
    AND r.seconds_to_revert <= {window_s}
    AND r.day >= {edits_since} AND r.day <= {until}
    AND u.day >= {since} AND u.day <= {until}
ORDER BY wiki, u.page_id, u.rev_id, r.rev_id
