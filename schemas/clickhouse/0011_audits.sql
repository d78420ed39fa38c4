-- What people made of the images that were drawn at random for an audit. A later submission of a sample replaces the earlier.
CREATE TABLE IF NOT EXISTS audits
(
    dataset LowCardinality(String),
    sample_id FixedString(16) COMMENT 'hex(sample_id) for people',
    revision UInt64 COMMENT 'of the submission',
    confidence Float64 COMMENT 'that route had in the labels, 0 to 1',
    probability Float64 COMMENT 'with which images were drawn then',
    wrong Bool COMMENT 'the person mended an error in what would have been accepted',
    actor LowCardinality(String) COMMENT 'who submitted',
    routed DateTime64(6, 'UTC') COMMENT 'when the image came to route',
    at DateTime64(6, 'UTC') COMMENT 'of the submission',
    written DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when the row came, by the server''s clock' CODEC(Delta, LZ4)
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (dataset, sample_id)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 1024
COMMENT 'Audits of automatic acceptance, superseded ones included until they are merged away: read with FINAL';
