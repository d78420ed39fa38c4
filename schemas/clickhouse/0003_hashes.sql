-- Each 64-bit hash under four buckets, one for each 16-bit band (band << 16 | value): a search within d bits looks up the
-- buckets within d/4 bits of its own. Small granules, since a search touches many buckets with few rows each.
CREATE TABLE IF NOT EXISTS hashes
(
    dataset LowCardinality(String),
    bucket UInt32,
    sample_id FixedString(16) COMMENT 'hex(sample_id) for people',
    group_id FixedString(16) COMMENT 'near-duplicate group: the sample_id of its first member',
    phash UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (dataset, bucket, sample_id)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 256
COMMENT 'Perceptual hashes of accepted samples, banded for the search of near duplicates';

-- The catalog brings what a killed ingest had not yet written.
CREATE MATERIALIZED VIEW IF NOT EXISTS hashes_of_samples TO hashes AS
SELECT
    dataset,
    bitOr(bitShiftLeft(toUInt32(band), 16), toUInt32(bitAnd(bitShiftRight(phash, band * 16), 65535))) AS bucket,
    sample_id,
    group_id,
    phash
FROM samples
ARRAY JOIN [0, 1, 2, 3] AS band
WHERE stage = 1;
