-- T374698: what the anti-vandal bots of each wiki and a model have in common, in a month. A row is a wiki, with all its listed
-- bots together. An edit counts for the bots if a bot made its first revert, within 24 hours. It counts for the model if its
-- probability is over the threshold. Only content namespaces; without creations, null edits and self-reverts. Other edits that
-- are not scored, such as redirects, count: the bots revert them too. `revertrisk bots` counts by the same rules.
-- Change as needed: both days of the period (four times), the model, the threshold, the seconds.
-- `days` is how many days of the period are in the lake's record of the wiki, which is from `recorded_from` to `recorded_to`.
-- If it is 0, the period is outside the record. At most 1,000 days.
WITH digit AS (
    SELECT n FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS digits (n)
),
recorded AS (
    SELECT
        wiki_id,
        MIN(day) AS recorded_from,
        MAX(CAST(meta_dt AS DATE)) AS recorded_to,
        GREATEST(MIN(day), DATE '2026-10-01') AS first_day,
        LEAST(MAX(CAST(meta_dt AS DATE)), DATE '2026-10-31') AS last_day
    FROM revision
    WHERE kind IS NOT NULL AND wiki_id IN (SELECT wiki_id FROM bot)
    GROUP BY wiki_id
),
judged AS (
    SELECT
        e.wiki_id,
        e.day,
        r.first_revert_id,
        CASE WHEN b.name IS NOT NULL THEN 1 ELSE 0 END AS by_bot,
        CASE WHEN p.rev_id IS NOT NULL THEN 1 ELSE 0 END AS scored,
        CASE WHEN p.probability > 0.87 THEN 1 ELSE 0 END AS flagged
    FROM revision AS e
    LEFT JOIN prediction_current AS p
        ON e.wiki_id = p.wiki_id AND e.rev_id = p.rev_id AND e.day = p.day
        AND p.model_name = 'revertrisk-multilingual'
        AND p.day >= DATE '2026-10-01' AND p.day <= DATE '2026-10-31'
    LEFT JOIN reverted AS r
        ON e.wiki_id = r.wiki_id AND e.rev_id = r.rev_id AND e.day = r.day
    LEFT JOIN revert AS u
        ON r.wiki_id = u.wiki_id AND r.first_revert_id = u.rev_id AND r.seconds_to_revert <= 86400
    LEFT JOIN bot AS b
        ON u.wiki_id = b.wiki_id AND u.actor_key = b.actor_key
        AND (b.valid_from IS NULL OR u.day >= b.valid_from) AND (b.valid_to IS NULL OR u.day <= b.valid_to)
    WHERE e.day >= DATE '2026-10-01' AND e.day <= DATE '2026-10-31'
        AND e.is_content_namespace AND e.parent_id <> 0 AND e.kind IS NOT NULL
        AND NOT COALESCE(e.is_null_edit, FALSE) AND NOT COALESCE(r.is_self, FALSE)
),
daily AS (
    SELECT
        d.wiki_id,
        d.day,
        COUNT(DISTINCT CASE WHEN j.by_bot = 1 THEN j.first_revert_id END) AS bot_reverts,
        COALESCE(SUM(j.by_bot), 0) AS by_bot,
        COALESCE(SUM(j.by_bot * j.scored), 0) AS by_bot_and_scored,
        COALESCE(SUM(j.flagged), 0) AS flagged,
        COALESCE(SUM(j.by_bot * j.flagged), 0) AS by_bot_and_flagged
    FROM (
        SELECT r.wiki_id, r.first_day + (a.n + 10 * b.n + 100 * c.n) AS day
        FROM recorded AS r CROSS JOIN digit AS a CROSS JOIN digit AS b CROSS JOIN digit AS c
        WHERE r.first_day + (a.n + 10 * b.n + 100 * c.n) <= r.last_day
    ) AS d
    LEFT JOIN judged AS j ON d.wiki_id = j.wiki_id AND d.day = j.day
    GROUP BY d.wiki_id, d.day
)
SELECT
    r.wiki_id,
    r.recorded_from,
    r.recorded_to,
    COUNT(d.day) AS days,
    MEDIAN(d.bot_reverts) AS bot_reverts_a_day_median,
    MODE(d.bot_reverts) AS bot_reverts_a_day_mode,
    SUM(d.by_bot) AS edits_undone_by_bot,
    SUM(d.by_bot) - SUM(d.by_bot_and_scored) AS of_these_without_a_score,
    SUM(d.flagged) AS edits_flagged_by_model,
    SUM(d.by_bot_and_flagged) AS edits_of_both,
    SUM(d.by_bot_and_flagged) / NULLIF(SUM(d.by_bot_and_scored), 0) AS share_of_the_bots_that_the_model_flags,
    SUM(d.by_bot_and_flagged) / NULLIF(SUM(d.flagged), 0) AS share_of_the_models_that_the_bot_undid
FROM recorded AS r
LEFT JOIN daily AS d ON r.wiki_id = d.wiki_id
GROUP BY r.wiki_id, r.recorded_from, r.recorded_to
ORDER BY r.wiki_id
