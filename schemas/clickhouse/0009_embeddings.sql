-- Feature vectors of images and objects. Those of one model and layer, of images or of objects, are a partition: they alone can
-- be compared, and a search goes through no others. The index wants vectors of one length whatever a model's is, so it is over
-- the first 256 numbers, with zeros where there are fewer; channels have no order, and what it finds is ranked by whole vectors.
-- Building it costs more than writing rows, which is why inserts leave it to merges; parts without it are searched through.
CREATE TABLE IF NOT EXISTS embeddings
(
    dataset LowCardinality(String),
    sample_id FixedString(16) COMMENT 'hex(sample_id) for people',
    object_id String COMMENT 'object of the sample as prelabel saw it; empty: the whole image',
    model LowCardinality(String) COMMENT 'name@version',
    layer LowCardinality(String) COMMENT 'tensor of the model''s graph',
    vector Array(Float32) COMMENT 'features pooled under the box, of length 1: compare by cosineDistance' CODEC(LZ4),
    code Array(BFloat16) MATERIALIZED arrayResize(vector, 256)::Array(BFloat16) COMMENT 'of vector, for the index',
    updated DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when the catalog wrote the row, by the server''s clock; the latest replaces the others' CODEC(Delta, LZ4),
    INDEX by_id sample_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_code code TYPE vector_similarity('hnsw', 'cosineDistance', 256, 'bf16', 16, 64)
)
ENGINE = ReplacingMergeTree(updated)
PARTITION BY (model, layer, object_id = '')
ORDER BY (model, layer, dataset, sample_id, object_id)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 1024
COMMENT 'What images and objects look like to a model, doubles included: read with FINAL';
