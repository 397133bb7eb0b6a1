-- What happened to each edit: when it was first undone and by whom, and when its page was first deleted after it. A
-- deletion ends the observation without a revert. No horizon is applied: filter seconds_to_revert, and exclude edits that
-- are more recent than the horizon.
SELECT
    e.day, e.wiki_id, e.rev_id, e.page_id, e.parent_id, e.dt, e.kind, e.namespace_id, e.is_content_namespace,
    e.skip_reason, e.user_kind, e.is_bot, e.edit_bucket, e.registered_month, e.is_privileged, e.is_autopatrolled,
    r.first_revert_id, r.seconds_to_revert, r.is_self, r.by_bot, r.reverter_kind, r.revert_reverted_at,
    r.by_base_editor,
    d.deleted_at
FROM revision AS e
LEFT JOIN reverted AS r ON e.wiki_id = r.wiki_id AND e.rev_id = r.rev_id AND e.day = r.day
LEFT JOIN (
    SELECT
        wiki_id, page_id, event_dt AS deleted_at,
        LAG(event_dt) OVER (PARTITION BY wiki_id, page_id ORDER BY event_dt) AS deleted_before
    FROM (SELECT DISTINCT wiki_id, page_id, event_dt FROM page_event WHERE kind = 'delete') AS deletion
) AS d
    ON e.wiki_id = d.wiki_id AND e.page_id = d.page_id
    AND d.deleted_at >= e.dt AND (d.deleted_before IS NULL OR d.deleted_before < e.dt)
WHERE e.kind IS NOT NULL
