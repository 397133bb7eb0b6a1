-- The edits above the threshold by one model version, a row each, with what happened to them. The share reverted within a
-- horizon is Aalen and Johansen's estimate over these rows. A revert by another user is the event, and a revert by the
-- author or a deletion of the page is a competing event. Times are in seconds since the edit, and null if it did not
-- happen. age_s is the time to the last page_change event of the edit's wiki.
SELECT
    :version AS model_version,
    x.wiki_id,
    w.page_id,
    w.rev_id,
    make_timestamptz(CAST(w.dt * 1000000 AS BIGINT)) AS dt,
    w.probability,
    x.threshold,
    ([:kinds])[w.kind + 1] AS user_kind,
    greatest(x.watermark - w.dt, 0) AS age_s,
    w.revert_after AS reverted_after_s,
    CASE WHEN w.revert_after IS NOT NULL THEN ([:reverters])[w.reverter] END AS reverted_by,
    w.deleted_after AS deleted_after_s
FROM (
:watched
) AS w
JOIN (VALUES :wikis) AS x (place, wiki_id, threshold, watermark) ON w.wiki = x.place
WHERE w.probability > x.threshold
    AND w.dt >= epoch(:since) AND w.dt < epoch(:until)
    AND w.kind IN (:of_user)
