-- The images that were drawn at random for an audit, answered or not. What people made of them is in audits.
CREATE TABLE IF NOT EXISTS draws
(
    dataset LowCardinality(String),
    sample_id FixedString(16) COMMENT 'hex(sample_id) for people',
    confidence Float64 COMMENT 'that route had in the labels, 0 to 1',
    probability Float64 COMMENT 'with which images were drawn then',
    routed DateTime64(6, 'UTC') COMMENT 'when the image came to route',
    written DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when the row came, by the server''s clock' CODEC(Delta, LZ4)
)
ENGINE = ReplacingMergeTree
ORDER BY (dataset, sample_id)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 1024
COMMENT 'Draws for audits of automatic acceptance, doubles included until they are merged away: read with FINAL';
