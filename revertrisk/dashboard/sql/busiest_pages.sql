-- Pages with the most different users, then with the most edits, because many edits by one user are common. Risk mass
-- is the sum of the risks of a page's edits. The number of users is null if the actor key of an edit was removed by age;
-- then all pages are in the order of their edits. Hidden users are not counted. Deleted pages are left out, and so are
-- user pages, whose titles are user names and addresses.
WITH by_page AS (
    SELECT
        e.wiki_id,
        g.title,
        CASE WHEN count(*) FILTER (e.actor_key IS NULL AND e.user_kind <> 'unknown') = 0
            THEN nullif(count(DISTINCT e.actor_key), 0) END AS people,
        count(*) AS edits,
        round(sum(p.probability), 3) AS risk_mass,
        e.page_id,
        bool_or(e.actor_key IS NULL AND e.user_kind <> 'unknown') AS is_removed
    FROM revision AS e
    JOIN page AS g ON e.wiki_id = g.wiki_id AND e.page_id = g.page_id
    LEFT JOIN prediction_current AS p
        ON e.wiki_id = p.wiki_id AND e.rev_id = p.rev_id AND e.day = p.day AND p.model_name = :model
    WHERE e.kind IS NOT NULL
        AND g.title IS NOT NULL AND g.last_kind <> 'delete'
        AND g.namespace_id NOT IN (2, 3)
        AND e.dt >= :since AND e.dt < :until
        AND e.day >= CAST(:since AS DATE) AND e.day <= CAST(:until AS DATE)
        AND e.wiki_id = :wiki
        AND e.user_kind = :user
    GROUP BY e.wiki_id, e.page_id, g.title
)
SELECT wiki_id, title, people, edits, risk_mass
FROM by_page
ORDER BY
    CASE WHEN NOT (SELECT bool_or(is_removed) FROM by_page) THEN people END DESC NULLS LAST,
    edits DESC, risk_mass DESC NULLS LAST, wiki_id, page_id
LIMIT 20
