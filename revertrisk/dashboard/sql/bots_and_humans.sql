-- Edits a minute by accounts in a bot group, by other accounts, and by users who are not logged in.
SELECT
    time_bucket(INTERVAL (:bin_minutes) MINUTE, e.dt) AS "time",
    count(*) FILTER (e.is_bot) / :bin_minutes AS bots_a_minute,
    count(*) FILTER (NOT coalesce(e.is_bot, FALSE) AND e.user_kind = 'registered') / :bin_minutes AS accounts_a_minute,
    count(*) FILTER (e.user_kind IN ('ip', 'temporary')) / :bin_minutes AS not_logged_in_a_minute,
    count(*) FILTER (e.user_kind = 'unknown') / :bin_minutes AS unknown_a_minute
FROM revision AS e
WHERE e.kind IS NOT NULL
    AND e.dt >= :since AND e.dt < :until
    AND e.day >= CAST(:since AS DATE) AND e.day <= CAST(:until AS DATE)
    AND e.wiki_id = :wiki
    AND e.user_kind = :user
GROUP BY ALL
ORDER BY "time"
