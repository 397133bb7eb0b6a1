-- The wikis and models in the lake, its watermark, and the time of its newest edit, from which hours are counted back.
-- An edit over 5 minutes after the watermark has a wrong clock.
SELECT
    (SELECT list(DISTINCT wiki_id ORDER BY wiki_id) FROM revision WHERE kind IS NOT NULL) AS wikis,
    (SELECT list(DISTINCT model_name ORDER BY model_name) FROM prediction_current) AS models,
    (SELECT max(watermark) FROM place) AS watermark,
    (
        SELECT max(dt) FROM revision
        WHERE kind IS NOT NULL AND dt <= (SELECT max(watermark) FROM place) + INTERVAL 5 MINUTE
    ) AS newest
