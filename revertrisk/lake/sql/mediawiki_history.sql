-- Revisions with the column names of Wikimedia's wmf.mediawiki_history. event_user_text is the name of a listed bot, and
-- the actor key of any other user. event_user_is_anonymous is also true for hidden and unknown users.
-- event_user_revision_count is the smallest number of its bucket.
SELECT
    e.wiki_id AS wiki_db,
    'revision' AS event_entity,
    'create' AS event_type,
    e.dt AS event_timestamp,
    COALESCE(b.name, e.actor_key) AS event_user_text,
    e.user_kind <> 'registered' AS event_user_is_anonymous,
    CASE e.edit_bucket WHEN '0' THEN 0 WHEN '1-9' THEN 1 WHEN '10-99' THEN 10 WHEN '100-499' THEN 100 WHEN '500+' THEN 500
        END AS event_user_revision_count,
    e.page_id,
    e.namespace_id AS page_namespace,
    e.is_content_namespace AS page_namespace_is_content,
    e.rev_id AS revision_id,
    e.parent_id AS revision_parent_id,
    e.is_minor AS revision_minor_edit,
    e.rev_size AS revision_text_bytes,
    e.rev_size - e.parent_size AS revision_text_bytes_diff,
    u.rev_id IS NOT NULL AS revision_is_identity_revert,
    r.rev_id IS NOT NULL AS revision_is_identity_reverted,
    r.first_revert_id AS revision_first_identity_reverting_revision_id,
    r.seconds_to_revert AS revision_seconds_to_identity_revert,
    SUBSTRING(CAST(CURRENT_DATE AS STRING), 1, 7) AS snapshot
FROM revision AS e
LEFT JOIN reverted AS r ON e.wiki_id = r.wiki_id AND e.rev_id = r.rev_id AND e.day = r.day
LEFT JOIN revert AS u ON e.wiki_id = u.wiki_id AND e.rev_id = u.rev_id AND e.day = u.day
LEFT JOIN bot AS b
    ON e.wiki_id = b.wiki_id AND e.actor_key = b.actor_key
    AND (b.valid_from IS NULL OR e.day >= b.valid_from) AND (b.valid_to IS NULL OR e.day <= b.valid_to)
WHERE e.kind IS NOT NULL
