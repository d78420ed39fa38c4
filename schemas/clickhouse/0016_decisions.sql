-- Where the decisions of each dataset's rules stand. Only what is in force, about to be, or was once has a row; evaluations read it
-- in the order of sample ids.
CREATE TABLE IF NOT EXISTS decisions
(
    dataset LowCardinality(String),
    sample_id FixedString(16) COMMENT 'hex(sample_id) for people; zero: about a class',
    object_id String COMMENT 'empty: the whole sample',
    class LowCardinality(String) COMMENT 'of the decisions that distill; empty: about an object',
    decision LowCardinality(String) COMMENT 'its name in the rules',
    action LowCardinality(String) COMMENT 'remove, review, oversample, coreset or distill',
    active Bool COMMENT 'the action is in force',
    streak UInt32 COMMENT 'evaluations in a row that speak for a change of active',
    run_id String COMMENT 'of the evaluation that counted last',
    seen UInt32 COMMENT 'presentations of the object at that evaluation; of a class, epochs of the run',
    since_run String COMMENT 'of the evaluation that changed active last',
    since_seen UInt32,
    score Float64 COMMENT 'higher comes first',
    weight Float64 COMMENT 'factor of presentations',
    reason String COMMENT 'one sentence for people',
    top Array(String) COMMENT 'a class''s picks, each as sample or sample/object',
    at DateTime64(6, 'UTC') COMMENT 'when it was written; the latest replaces the others'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (dataset, sample_id, object_id, class, decision, action)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'What rules have decided, superseded rows included until they are merged away: ask decision_latest';

CREATE VIEW IF NOT EXISTS decision_latest AS
SELECT dataset, sample_id, lower(hex(sample_id)) AS sample, object_id, class, decision, action, active, streak, run_id, seen, since_run, since_seen, score, weight, reason, top, at
FROM decisions FINAL
COMMENT 'Where each decision of a dataset''s rules stands about each object, or class, that it holds, held or is about to';
