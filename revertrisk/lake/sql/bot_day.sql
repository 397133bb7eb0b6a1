-- Reverts within 24 hours of the edit, counted by wiki, day of the revert, kind and experience of the reverted editor, and
-- listed bot (null for other users), with how many of them were undone. Only content namespaces; without creations, null
-- edits and self-reverts.
SELECT
    u.wiki_id,
    u.day,
    e.user_kind,
    CASE e.edit_bucket WHEN '0' THEN '0-99' WHEN '1-9' THEN '0-99' WHEN '10-99' THEN '0-99' ELSE e.edit_bucket END
        AS edit_bucket,
    b.name AS bot,
    COUNT(DISTINCT u.rev_id) AS reverts,
    COUNT(DISTINCT CASE WHEN r.revert_reverted_at IS NOT NULL THEN u.rev_id END) AS reverts_reverted,
    COUNT(DISTINCT CASE WHEN r.by_base_editor THEN u.rev_id END) AS reverts_reverted_by_base_editor,
    COUNT(*) AS edits_reverted
FROM reverted AS r
JOIN revision AS e ON r.wiki_id = e.wiki_id AND r.rev_id = e.rev_id AND r.day = e.day
JOIN revert AS u ON r.wiki_id = u.wiki_id AND r.first_revert_id = u.rev_id
LEFT JOIN bot AS b
    ON u.wiki_id = b.wiki_id AND u.actor_key = b.actor_key
    AND (b.valid_from IS NULL OR u.day >= b.valid_from) AND (b.valid_to IS NULL OR u.day <= b.valid_to)
WHERE r.seconds_to_revert <= 86400
    AND e.is_content_namespace
    AND e.parent_id <> 0
    AND NOT COALESCE(e.is_null_edit, FALSE)
    AND NOT COALESCE(r.is_self, FALSE)
GROUP BY 1, 2, 3, 4, 5
