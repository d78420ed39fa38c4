-- How the class of a row's object came to be, so that losses can be asked for by taxonomy, label space and class of the model.
ALTER TABLE losses ADD COLUMN IF NOT EXISTS lineage LowCardinality(String) COMMENT 'taxonomy, the model''s class in its label space and the canonical class: animals@3 coco@2017:dog<animal; empty: unknown' CODEC(LZ4);

CREATE OR REPLACE VIEW loss_latest AS
SELECT
    l.run_id AS run_id,
    l.attempt AS attempt,
    l.model AS model,
    l.dataset AS dataset,
    l.sample_id AS sample_id,
    lower(hex(l.sample_id)) AS sample,
    l.object_id AS object_id,
    l.epoch AS epoch,
    l.step AS step,
    l.loss AS loss,
    l.correct AS correct,
    l.margin AS margin,
    l.p_true AS p_true,
    l.el2n AS el2n,
    l.emb_norm AS emb_norm,
    l.forgot AS forgot,
    l.lineage AS lineage
FROM losses AS l FINAL
LEFT JOIN
(
    SELECT run_id, groupArray((attempt, first)) AS resumed
    FROM
    (
        SELECT run_id, attempt, min((epoch, step)) AS first
        FROM losses
        WHERE attempt > 1
        GROUP BY run_id, attempt
    )
    GROUP BY run_id
) AS r ON l.run_id = r.run_id
WHERE NOT arrayExists(x -> x.1 > l.attempt AND x.2 <= (l.epoch, l.step), r.resumed)
COMMENT 'Losses that stand: one row per run, sample, object and epoch, the latest attempt''s, without what a resumed attempt superseded';
