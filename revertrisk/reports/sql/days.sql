-- The first and the last day of each wiki in the lake's record of page_change events, in days since 1970.
SELECT
    wiki_id,
    FLOOR(MIN(epoch(dt)) / 86400) AS first_day,
    -- A time later than every watermark comes from a wrong clock and is left out.
    FLOOR(MAX(epoch(meta_dt)) FILTER ((meta_dt > (SELECT MAX(watermark) FROM place)) IS NOT TRUE) / 86400) AS last_day
FROM revision
WHERE kind IS NOT NULL
GROUP BY wiki_id
ORDER BY wiki_id
