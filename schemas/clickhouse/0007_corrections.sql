-- How proposals fared with people. A submission's rows come in one insert and replace those of the sample's earlier revisions
-- as a whole: a proposal may have another label then, or none.
CREATE TABLE IF NOT EXISTS corrections
(
    dataset LowCardinality(String),
    sample_id FixedString(16) COMMENT 'hex(sample_id) for people',
    revision UInt64 COMMENT 'of the submission',
    proposal_id String COMMENT 'empty: a label that no model''s proposal found',
    object_id String COMMENT 'of the label; empty: the proposal was rejected',
    source LowCardinality(String) COMMENT 'model of the proposal, name@version',
    models Array(LowCardinality(String)) COMMENT 'all models that looked at the sample, ordered: one without rows found nothing',
    class LowCardinality(String) COMMENT 'of the proposal; of the label when missed',
    canonical LowCardinality(String) COMMENT 'the class by the taxonomy''s name',
    labeled LowCardinality(String) COMMENT 'class of the label',
    score Float32 COMMENT 'of the proposal, 0 to 1',
    accepted Bool COMMENT 'a label stands where the proposal was',
    proposal Tuple(x1 Float32, y1 Float32, x2 Float32, y2 Float32) COMMENT 'the model''s own box, pixels, x2 and y2 exclusive',
    label Tuple(x1 Float32, y1 Float32, x2 Float32, y2 Float32) COMMENT 'pixels, x2 and y2 exclusive; zero when rejected',
    w UInt32 COMMENT 'pixels of the image, upright',
    h UInt32 COMMENT 'pixels of the image, upright',
    slices Map(LowCardinality(String), String) COMMENT 'producer''s metadata and discovered clusters: weather, night, source',
    actor LowCardinality(String) COMMENT 'who submitted',
    at DateTime64(6, 'UTC') COMMENT 'of the submission',
    written DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when the row came, by the server''s clock' CODEC(Delta, LZ4),
    INDEX by_written written TYPE minmax GRANULARITY 8
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (dataset, sample_id, proposal_id, object_id)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 1024
COMMENT 'Corrections, superseded ones included until they are merged away: ask correction_latest';

CREATE VIEW IF NOT EXISTS correction_latest AS
SELECT
    dataset, sample_id, lower(hex(sample_id)) AS sample, revision,
    multiIf(proposal_id = '', 'missed', accepted, 'accepted', 'rejected') AS outcome,
    proposal_id, object_id, source, models, class, canonical, labeled, score, accepted, proposal, label, w, h, slices, actor, at
FROM corrections FINAL
WHERE (sample_id, revision) IN (SELECT sample_id, max(revision) FROM corrections GROUP BY sample_id)
COMMENT 'How each proposal fared in the latest submission of its sample: accepted (a label stands there), rejected, or missed (a label without a proposal)';
