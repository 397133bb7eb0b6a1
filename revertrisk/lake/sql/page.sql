-- The newest event of each page; a deleted page has no title.
SELECT wiki_id, page_id, title, namespace_id, kind AS last_kind, event_dt AS last_event_dt, rev_id
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY wiki_id, page_id
            ORDER BY event_dt DESC, rev_id DESC, CASE WHEN kind = 'delete' THEN 1 ELSE 0 END DESC, kind DESC
        ) AS place
    FROM page_event
) AS ranked
WHERE place = 1
