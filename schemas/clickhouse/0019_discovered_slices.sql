-- Slices that were found in the data: which cluster of the last discovery each sample is nearest to. A sample's record has what its
-- producer says alone; the views put the two together, and hold in memory what is discovered of the samples that a query asks for by
-- dataset and sample_id, since conditions on these reach both sides.
CREATE TABLE IF NOT EXISTS discovered_slices
(
    dataset LowCardinality(String),
    name LowCardinality(String) COMMENT 'of the slice',
    sample_id FixedString(16) COMMENT 'hex(sample_id) for people',
    value LowCardinality(String) COMMENT 'of the slice: a cluster by its place in size, or what people call it',
    distance Float64 COMMENT 'from the center of the cluster, of vectors of length 1: 0 to 2',
    model LowCardinality(String) COMMENT 'whose embeddings were clustered, name@version',
    layer LowCardinality(String) COMMENT 'tensor of the model''s graph',
    at DateTime64(6, 'UTC') COMMENT 'of the discovery; the latest replaces the others',
    INDEX by_id sample_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (dataset, name, sample_id)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 1024
COMMENT 'Clusters of samples by their embeddings, earlier discoveries included until they are merged away: ask sample_latest';

CREATE VIEW IF NOT EXISTS discovered_latest AS
SELECT dataset, sample_id, CAST((groupArray(name), groupArray(value)), 'Map(LowCardinality(String), String)') AS slices
FROM discovered_slices FINAL
GROUP BY dataset, sample_id
COMMENT 'The discovered slices of each sample that has any: sample_latest, label_latest and correction_latest have them beside the producer''s';

ALTER TABLE samples MODIFY COLUMN slices COMMENT 'producer''s metadata: weather, night, source';
ALTER TABLE labels MODIFY COLUMN slices COMMENT 'producer''s metadata: weather, night, source';
ALTER TABLE corrections MODIFY COLUMN slices COMMENT 'producer''s metadata: weather, night, source';

CREATE OR REPLACE VIEW sample_latest AS
SELECT
    s.dataset AS dataset, s.sample_id AS sample_id, lower(hex(s.sample_id)) AS sample, s.unique_id AS unique_id, s.task AS task,
    lower(hex(s.image_sha256)) AS image, s.size AS size, s.media_type AS media_type, s.w AS w, s.h AS h, mapUpdate(d.slices, s.slices) AS slices,
    s.phash AS phash, lower(hex(s.group_id)) AS `group`, s.received AS received,
    transform(s.stage, [1, 2, 3, 4, 5], ['samples', 'prelabeled', 'segmented', 'linted', 'submitted'], 'unknown') AS stage,
    s.revision AS revision, transform(s.rank, [0, 10, 20, 30], ['none', 'automatic', 'human', 'reviewed'], 'unknown') AS rank,
    s.objects AS objects, s.object_ids AS object_ids, s.classes AS classes, s.sources AS sources, s.scores AS scores, s.boxes AS boxes,
    s.proposals AS proposals, s.superpixels AS superpixels, s.findings AS findings, s.doubt AS doubt, s.actor AS actor
FROM samples AS s FINAL
LEFT JOIN discovered_latest AS d ON d.dataset = s.dataset AND d.sample_id = s.sample_id
COMMENT 'The latest record of each sample: the one of the highest revision and stage. slices: the producer''s, and discovered ones where it has none of that name';

CREATE OR REPLACE VIEW label_latest AS
SELECT
    l.dataset AS dataset, l.sample_id AS sample_id, lower(hex(l.sample_id)) AS sample, l.unique_id AS unique_id, l.task AS task,
    lower(hex(l.image_sha256)) AS image, l.w AS w, l.h AS h, mapUpdate(d.slices, l.slices) AS slices,
    lower(hex(l.group_id)) AS `group`, transform(l.rank, [10, 20, 30], ['automatic', 'human', 'reviewed'], 'unknown') AS rank, l.revision AS revision,
    l.objects AS objects, l.object_ids AS object_ids, l.classes AS classes, l.sources AS sources, l.scores AS scores, l.boxes AS boxes,
    l.actor AS actor, l.at AS at
FROM labels AS l FINAL
LEFT JOIN discovered_latest AS d ON d.dataset = l.dataset AND d.sample_id = l.sample_id
COMMENT 'The label that counts of each sample: a reviewed one over a human one over an automatic one, then the highest revision. slices: as in sample_latest';

CREATE OR REPLACE VIEW correction_latest AS
SELECT
    c.dataset AS dataset, c.sample_id AS sample_id, lower(hex(c.sample_id)) AS sample, c.revision AS revision,
    multiIf(c.proposal_id = '', 'missed', c.accepted, 'accepted', 'rejected') AS outcome,
    c.proposal_id AS proposal_id, c.object_id AS object_id, c.source AS source, c.models AS models, c.class AS class, c.canonical AS canonical,
    c.labeled AS labeled, c.score AS score, c.accepted AS accepted, c.proposal AS proposal, c.label AS label, c.w AS w, c.h AS h,
    mapUpdate(d.slices, c.slices) AS slices, c.actor AS actor, c.at AS at
FROM corrections AS c FINAL
LEFT JOIN discovered_latest AS d ON d.dataset = c.dataset AND d.sample_id = c.sample_id
WHERE (c.sample_id, c.revision) IN (SELECT sample_id, max(revision) FROM corrections GROUP BY sample_id)
COMMENT 'How each proposal fared in the latest submission of its sample: accepted (a label stands there), rejected, or missed (a label without a proposal). slices: as in sample_latest';
