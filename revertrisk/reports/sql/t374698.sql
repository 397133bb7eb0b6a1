-- T374698: for each wiki with a listed bot the bot's reverts a day (median and mode), the share of them that the model
-- would make too, and the share of the model's that the bot made. Counted are edits, by the day of the edit.
WITH judged AS (
    SELECT
        o.wiki_id,
        o.day,
        CASE WHEN p.probability > {threshold} THEN 1 ELSE 0 END AS flagged,
        CASE WHEN b.name IS NOT NULL AND o.seconds_to_revert <= {window_s} THEN 1 ELSE 0 END AS by_bot
    FROM outcome AS o
    JOIN revision AS e ON o.wiki_id = e.wiki_id AND o.rev_id = e.rev_id AND o.day = e.day
    LEFT JOIN prediction_current AS p
        ON o.wiki_id = p.wiki_id AND o.rev_id = p.rev_id AND o.day = p.day AND p.model_name = {model_name}
    LEFT JOIN revert AS u ON o.wiki_id = u.wiki_id AND o.first_revert_id = u.rev_id
    LEFT JOIN bot AS b
        ON u.wiki_id = b.wiki_id AND u.actor_key = b.actor_key
        AND (b.valid_from IS NULL OR u.day >= b.valid_from) AND (b.valid_to IS NULL OR u.day <= b.valid_to)
    WHERE o.wiki_id IN (SELECT wiki_id FROM bot)
        AND o.day >= {since} AND o.day <= {until}
        AND o.is_content_namespace AND o.parent_id <> 0
        AND NOT COALESCE(e.is_null_edit, FALSE) AND NOT COALESCE(o.is_self, FALSE)
),
daily AS (
    SELECT wiki_id, day, SUM(by_bot) AS bot, SUM(flagged) AS model, SUM(by_bot * flagged) AS both_of_them
    FROM judged
    GROUP BY wiki_id, day
)
SELECT
    wiki_id,
    COUNT(*) AS days,
    MEDIAN(bot) AS bot_reverts_a_day_median,
    MODE(bot) AS bot_reverts_a_day_mode,
    SUM(bot) AS bot_reverts,
    SUM(model) AS model_flags,
    SUM(both_of_them) AS both_of_them,
    SUM(both_of_them) / NULLIF(SUM(bot), 0) AS share_of_the_bots_that_the_model_flags,
    SUM(both_of_them) / NULLIF(SUM(model), 0) AS share_of_the_models_that_the_bot_made
FROM daily
GROUP BY wiki_id
ORDER BY wiki_id
