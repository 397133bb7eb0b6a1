-- T374698: what the anti-vandal bots of each wiki and a model have in common, in a month. A row is a wiki, with all its listed
-- bots together. An edit counts for the bots if a bot made its first revert, within 24 hours. It counts for the model if its
-- probability is over the threshold. Only content namespaces; without creations, null edits and self-reverts.
-- Change as needed: the two days, the model, the threshold, the seconds.
WITH judged AS (
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
        ON e.wiki_id = r.wiki_id AND e.rev_id = r.rev_id AND e.day = r.day AND r.seconds_to_revert <= 86400
    LEFT JOIN revert AS u ON r.wiki_id = u.wiki_id AND r.first_revert_id = u.rev_id
    LEFT JOIN bot AS b
        ON u.wiki_id = b.wiki_id AND u.actor_key = b.actor_key
        AND (b.valid_from IS NULL OR u.day >= b.valid_from) AND (b.valid_to IS NULL OR u.day <= b.valid_to)
    WHERE e.day >= DATE '2026-10-01' AND e.day <= DATE '2026-10-31'
        AND e.wiki_id IN (SELECT wiki_id FROM bot)
        AND e.is_content_namespace AND e.skip_reason IS NULL AND e.kind IS NOT NULL
        AND NOT COALESCE(r.is_self, FALSE)
),
daily AS (
    SELECT
        wiki_id,
        day,
        COUNT(DISTINCT CASE WHEN by_bot = 1 THEN first_revert_id END) AS bot_reverts,
        SUM(by_bot) AS by_bot,
        SUM(by_bot * scored) AS by_bot_and_scored,
        SUM(flagged) AS flagged,
        SUM(by_bot * flagged) AS by_bot_and_flagged
    FROM judged
    GROUP BY wiki_id, day
)
SELECT
    wiki_id,
    COUNT(*) AS days,
    MEDIAN(bot_reverts) AS bot_reverts_a_day_median,
    MODE(bot_reverts) AS bot_reverts_a_day_mode,
    SUM(by_bot) AS edits_undone_by_bot,
    SUM(by_bot) - SUM(by_bot_and_scored) AS of_these_without_a_score,
    SUM(flagged) AS edits_flagged_by_model,
    SUM(by_bot_and_flagged) AS edits_of_both,
    SUM(by_bot_and_flagged) / NULLIF(SUM(by_bot_and_scored), 0) AS share_of_the_bots_that_the_model_flags,
    SUM(by_bot_and_flagged) / NULLIF(SUM(flagged), 0) AS share_of_the_models_that_the_bot_undid
FROM daily
GROUP BY wiki_id
ORDER BY wiki_id
