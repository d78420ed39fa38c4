CREATE TABLE IF NOT EXISTS runs
(
    run_id String,
    attempt UInt32 COMMENT 'the highest replaces the others',
    model LowCardinality(String) COMMENT 'name@version',
    dataset LowCardinality(String),
    dataset_version LowCardinality(String),
    epochs UInt32,
    loss_rows UInt64 COMMENT 'loss rows sent by this attempt',
    seed Int64,
    metrics Map(LowCardinality(String), Float64),
    started DateTime64(6, 'UTC'),
    finished DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(attempt)
ORDER BY run_id
SETTINGS non_replicated_deduplication_window = 100
COMMENT 'Training runs that finished: read with FINAL';

CREATE TABLE IF NOT EXISTS selections
(
    selection_id String COMMENT 'the same inputs give the same id',
    dataset LowCardinality(String),
    dataset_version LowCardinality(String),
    kind LowCardinality(String) COMMENT 'doubtful, coreset, edge, …',
    method LowCardinality(String),
    run_id String,
    seed Int64,
    picks UInt64 COMMENT 'rows in picks',
    at DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(at)
ORDER BY selection_id
SETTINGS non_replicated_deduplication_window = 100
COMMENT 'Sets of picked samples: read with FINAL';

CREATE TABLE IF NOT EXISTS picks
(
    selection_id String,
    sample_id FixedString(16) COMMENT 'hex(sample_id) for people',
    object_id String COMMENT 'empty: the whole sample',
    score Float64 COMMENT 'in the method''s unit, higher is picked first',
    weight Float64,
    reason String COMMENT 'one sentence for people',
    at DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (selection_id, sample_id, object_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'The samples of selections: read with FINAL';
