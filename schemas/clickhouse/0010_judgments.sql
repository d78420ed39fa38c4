-- What people made of the findings that they were shown. A submission's rows come in one insert; those of a sample's earlier
-- submissions stay, since each was a judgment of its own.
CREATE TABLE IF NOT EXISTS judgments
(
    dataset LowCardinality(String),
    sample_id FixedString(16) COMMENT 'hex(sample_id) for people',
    revision UInt64 COMMENT 'of the submission',
    finding UInt32 COMMENT 'number of the finding among those shown with the revision',
    type LowCardinality(String) COMMENT 'missing, spurious, duplicate, …',
    object_id String COMMENT 'the doubted label; empty: a label that is missing',
    class LowCardinality(String) COMMENT 'of the doubted label, or of the one that is missing',
    box Tuple(x1 Float32, y1 Float32, x2 Float32, y2 Float32) COMMENT 'where the finding pointed, pixels, x2 and y2 exclusive',
    score Float32 COMMENT 'of the finding as it was shown, 0 to 1',
    prior Float32 COMMENT 'the score before what was learned of reviewers, 0 to 1',
    outcome LowCardinality(String) COMMENT 'fixed: the label was changed accordingly; kept: for a reason; passed: left as it was without a word',
    reason String COMMENT 'why the label was kept, in the person''s words',
    actor LowCardinality(String) COMMENT 'who submitted',
    at DateTime64(6, 'UTC') COMMENT 'of the submission',
    INDEX by_id sample_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (dataset, type, sample_id, revision, finding)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 1024
COMMENT 'What people made of lint''s findings, doubles included: ask judgment_all';

CREATE VIEW IF NOT EXISTS judgment_all AS
SELECT dataset, sample_id, lower(hex(sample_id)) AS sample, revision, finding, type, object_id, class, box, score, prior, outcome, reason, actor, at
FROM judgments FINAL
COMMENT 'What people made of each finding that they were shown, of every submission';
