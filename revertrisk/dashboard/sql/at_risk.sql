-- The share of scored edits above the threshold, for all wikis together and for each wiki, by model version. Each wiki's
-- edits are compared with its own threshold. The standard error is that of the jackknife that leaves out one page at a
-- time, because edits of one page are similar. Effective pages are the pages of equal size that would give the same
-- information. With too few of them, if the program computes intervals, share and standard error are null, and the wiki comes last.
WITH by_page AS (
    SELECT
        p.wiki_id,
        p.model_version,
        coalesce(t.threshold, a.threshold, :threshold) AS threshold,
        p.page_id,
        count(*) AS edits,
        count(*) FILTER (p.probability > coalesce(t.threshold, a.threshold, :threshold)) AS above_threshold
    FROM prediction_current AS p
    JOIN revision AS e ON p.wiki_id = e.wiki_id AND p.rev_id = e.rev_id AND p.day = e.day
    LEFT JOIN :thresholds AS t (model_version, wiki_id, threshold)
        ON p.model_version = t.model_version AND p.wiki_id = t.wiki_id
    LEFT JOIN :thresholds AS a (model_version, wiki_id, threshold)
        ON p.model_version = a.model_version AND a.wiki_id = 'all'
    WHERE p.model_name = :model
        AND e.dt >= :since AND e.dt < :until
        AND p.day >= CAST(:since AS DATE) AND p.day <= CAST(:until AS DATE)
        AND p.wiki_id = :wiki
        AND e.user_kind = :user
    GROUP BY ALL
),
in_groups AS (
    SELECT * FROM by_page
    UNION ALL
    SELECT * REPLACE ('all' AS wiki_id) FROM by_page
    WHERE (SELECT count(DISTINCT wiki_id) FROM by_page) > 1
),
with_share AS (
    SELECT
        *,
        sum(above_threshold) OVER w / sum(edits) OVER w AS share,
        sum(edits) OVER w AS all_edits,
        count(*) OVER w AS pages
    FROM in_groups
    WINDOW w AS (PARTITION BY wiki_id, model_version)
),
figures AS (
    SELECT
        wiki_id,
        any_value(share) AS share,
        sum(edits) AS edits,
        sum(above_threshold) AS above_threshold,
        any_value(pages) AS pages,
        round(sum(edits) ** 2 / sum(edits ** 2), 6) AS effective_pages,
        round(
            sqrt(coalesce(sum(((above_threshold - share * edits) / nullif(all_edits - edits, 0)) ** 2), 0)
                * (any_value(pages) - 1) / any_value(pages)), 9
        ) AS standard_error,
        CASE WHEN min(threshold) = max(threshold) THEN min(threshold) END AS threshold,
        model_version
    FROM with_share
    GROUP BY wiki_id, model_version
)
SELECT
    * EXCLUDE (is_enough) REPLACE (
        CASE WHEN is_enough THEN share END AS share,
        CASE WHEN is_enough THEN standard_error END AS standard_error
    )
FROM (SELECT *, effective_pages >= :min_pages AS is_enough FROM figures) AS judged
ORDER BY wiki_id = 'all' DESC, is_enough DESC, share DESC, edits DESC, wiki_id, model_version
LIMIT 400
