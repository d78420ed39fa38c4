-- The latest record of every sample. Position orders the records of one sample: revision, then stage.
CREATE TABLE IF NOT EXISTS samples
(
    dataset LowCardinality(String),
    sample_id FixedString(16) COMMENT 'hex(sample_id) for people',
    unique_id String COMMENT 'the producer''s own id; empty: none',
    task LowCardinality(String),
    image_sha256 FixedString(32) COMMENT 'digest of the encoded image, its name in the blob store',
    size UInt64 COMMENT 'bytes of the encoded image',
    media_type LowCardinality(String),
    w UInt32 COMMENT 'pixels, upright',
    h UInt32 COMMENT 'pixels, upright',
    slices Map(LowCardinality(String), String) COMMENT 'producer''s metadata and discovered clusters: weather, night, source',
    phash UInt64 COMMENT '64-bit DCT perceptual hash; compare by bitHammingDistance',
    group_id FixedString(16) COMMENT 'near-duplicate group: the sample_id of its first member',
    received DateTime64(6, 'UTC') COMMENT 'when the producer''s record arrived',
    stage UInt8 COMMENT '1 samples, 2 prelabeled, 3 segmented, 4 linted, 5 submitted',
    revision UInt64 COMMENT '0 until people have submitted',
    rank UInt8 COMMENT 'who made the objects: 0 nobody yet, 10 automatic, 20 human, 30 reviewed',
    position UInt64 COMMENT 'the highest replaces the others',
    object_ids Array(String),
    classes Array(LowCardinality(String)) COMMENT 'one element an object, as are object_ids, sources, scores and boxes',
    sources Array(LowCardinality(String)),
    scores Array(Float32),
    boxes Array(Tuple(x1 Float32, y1 Float32, x2 Float32, y2 Float32)) COMMENT 'pixels, x2 and y2 exclusive',
    objects UInt32 MATERIALIZED length(classes),
    proposals UInt32 COMMENT 'what the models saw at low thresholds',
    superpixels UInt32 COMMENT 'number of regions; 0: none',
    findings Array(LowCardinality(String)) COMMENT 'types of lint''s findings',
    doubt Float32 COMMENT 'score of the worst finding, 0 to 1',
    actor LowCardinality(String) COMMENT 'who submitted',
    record String COMMENT 'the sample as an Arrow IPC stream, without pixels' CODEC(ZSTD(3)),
    INDEX by_id sample_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(position)
ORDER BY (dataset, sample_id)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 1024
COMMENT 'Catalog of samples, doubles included: ask sample_latest';

CREATE VIEW IF NOT EXISTS sample_latest AS
SELECT
    dataset, sample_id, lower(hex(sample_id)) AS sample, unique_id, task, lower(hex(image_sha256)) AS image, size, media_type, w, h, slices,
    phash, lower(hex(group_id)) AS `group`, received,
    transform(stage, [1, 2, 3, 4, 5], ['samples', 'prelabeled', 'segmented', 'linted', 'submitted'], 'unknown') AS stage,
    revision, transform(rank, [0, 10, 20, 30], ['none', 'automatic', 'human', 'reviewed'], 'unknown') AS rank,
    objects, object_ids, classes, sources, scores, boxes, proposals, superpixels, findings, doubt, actor
FROM samples FINAL
COMMENT 'The latest record of each sample: the one of the highest revision and stage';

-- The best label of every sample: the highest rank, then the highest revision. The labels topic keeps all of them.
CREATE TABLE IF NOT EXISTS labels
(
    dataset LowCardinality(String),
    sample_id FixedString(16) COMMENT 'hex(sample_id) for people',
    unique_id String COMMENT 'the producer''s own id; empty: none',
    task LowCardinality(String),
    image_sha256 FixedString(32) COMMENT 'digest of the encoded image, its name in the blob store',
    w UInt32 COMMENT 'pixels, upright',
    h UInt32 COMMENT 'pixels, upright',
    slices Map(LowCardinality(String), String) COMMENT 'producer''s metadata and discovered clusters: weather, night, source',
    group_id FixedString(16) COMMENT 'near-duplicate group: the sample_id of its first member',
    rank UInt8 COMMENT '10 automatic, 20 human, 30 reviewed',
    revision UInt64,
    position UInt64 COMMENT 'rank, then revision: the highest replaces the others',
    object_ids Array(String),
    classes Array(LowCardinality(String)) COMMENT 'one element an object, as are object_ids, sources, scores and boxes',
    sources Array(LowCardinality(String)),
    scores Array(Float32),
    boxes Array(Tuple(x1 Float32, y1 Float32, x2 Float32, y2 Float32)) COMMENT 'pixels, x2 and y2 exclusive',
    objects UInt32 MATERIALIZED length(classes),
    actor LowCardinality(String) COMMENT '"route" when automatic, else who submitted',
    at DateTime64(6, 'UTC'),
    record String COMMENT 'the label as an Arrow IPC stream, without pixels' CODEC(ZSTD(3)),
    INDEX by_id sample_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(position)
ORDER BY (dataset, sample_id)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 1024
COMMENT 'Labels, superseded ones included until they are merged away: ask label_latest';

CREATE VIEW IF NOT EXISTS label_latest AS
SELECT
    dataset, sample_id, lower(hex(sample_id)) AS sample, unique_id, task, lower(hex(image_sha256)) AS image, w, h, slices,
    lower(hex(group_id)) AS `group`, transform(rank, [10, 20, 30], ['automatic', 'human', 'reviewed'], 'unknown') AS rank, revision,
    objects, object_ids, classes, sources, scores, boxes, actor, at
FROM labels FINAL
COMMENT 'The label that counts of each sample: a reviewed one over a human one over an automatic one, then the highest revision';

CREATE TABLE IF NOT EXISTS rejected
(
    dataset LowCardinality(String),
    sample_id FixedString(16) COMMENT 'hex(sample_id) for people',
    unique_id String COMMENT 'the producer''s own id; empty: none',
    reason LowCardinality(String) COMMENT 'blurred, too-small, duplicate, conflict, …',
    image_sha256 FixedString(32) COMMENT 'digest of the encoded image, its name in the blob store',
    measure Float64 COMMENT 'what was measured, in the unit of the reason',
    threshold Float64 COMMENT 'what it was compared with',
    detail String,
    received DateTime64(6, 'UTC') COMMENT 'when the producer''s record arrived',
    record String COMMENT 'the reject as an Arrow IPC stream, without pixels' CODEC(ZSTD(3)),
    INDEX by_id sample_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (dataset, sample_id, reason, image_sha256)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 1024
COMMENT 'Images that ingest kept out, with what was measured';
