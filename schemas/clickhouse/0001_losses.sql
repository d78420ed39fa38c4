-- One row per presentation of one object in one run. A row's identity is (run_id, sample_id, object_id, epoch); the highest
-- attempt wins. Aggregates are computed from folded rows only: a materialized view would see every double.
CREATE TABLE IF NOT EXISTS losses
(
    run_id LowCardinality(String) COMMENT 'training run',
    attempt UInt32 COMMENT '1 for a first run, incremented by every resume' CODEC(T64, LZ4),
    model LowCardinality(String) COMMENT 'name@version',
    dataset LowCardinality(String),
    sample_id FixedString(16) COMMENT 'hex(sample_id) for people' CODEC(LZ4),
    object_id String COMMENT 'object of the sample; empty: the loss of the whole image' CODEC(LZ4),
    epoch UInt32 CODEC(Delta, LZ4),
    step UInt64 COMMENT 'optimizer steps before this presentation' CODEC(Delta, LZ4),
    loss Float32 COMMENT 'raw cross-entropy in nats at presentation' CODEC(LZ4),
    correct Bool COMMENT 'argmax equals the label' CODEC(T64, LZ4),
    margin Float32 COMMENT 'logit of the label minus the largest other logit' CODEC(LZ4),
    p_true Float32 COMMENT 'probability of the label' CODEC(LZ4),
    el2n Float32 COMMENT 'L2 norm of probabilities minus one-hot (Paul et al. 2021)' CODEC(LZ4),
    emb_norm Float32 COMMENT 'L2 norm of the embedding; 0: unknown' CODEC(LZ4),
    forgot Bool COMMENT 'correct at the previous presentation, wrong now; as the trainer saw it' CODEC(T64, LZ4),
    INDEX attempts attempt TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(attempt)
PARTITION BY sipHash64(run_id) % 16
ORDER BY (run_id, sample_id, object_id, epoch)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Losses as trainers sent them, doubles included: ask loss_latest';

-- An attempt that resumes at an epoch and step goes on from the weights of that moment, so what earlier attempts presented from
-- there on led nowhere and is left out.
CREATE VIEW IF NOT EXISTS loss_latest AS
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
    l.forgot AS forgot
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

CREATE VIEW IF NOT EXISTS forgetting AS
SELECT
    run_id,
    dataset,
    sample_id,
    lower(hex(sample_id)) AS sample,
    object_id,
    length(history) AS presentations,
    arrayExists(x -> x.2, history)::Bool AS learned,
    if(learned, (arrayFirst(x -> x.2, history) AS first).1, NULL) AS first_learned,
    arrayCount((before, after) -> before.2 AND NOT after.2, arrayPopBack(history), arrayPopFront(history)) AS events,
    if(learned, events, presentations) AS forgetting,
    (learned AND events = 0)::Bool AS unforgettable
FROM
(
    SELECT run_id, any(dataset) AS dataset, sample_id, object_id, arraySort(groupArray((epoch, correct))) AS history
    FROM loss_latest
    GROUP BY run_id, sample_id, object_id
)
COMMENT 'Forgetting (Toneva et al. 2019, An Empirical Study of Example Forgetting during Deep Neural Network Learning): events = correct at one presentation of the object in the run and wrong at the next; first_learned = first epoch it was correct; forgetting = events, or for one never learned the number of its presentations, the maximum; unforgettable = learned and never forgotten';
