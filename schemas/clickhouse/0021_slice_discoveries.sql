-- A discovery of a slice replaces the one before as a whole: its rows count from when it is published, and those of one that goes on,
-- was killed or lost to a later one are nobody's values. Rows from before this migration are of discovery 0.
ALTER TABLE discovered_slices
    ADD COLUMN IF NOT EXISTS discovery DateTime64(6, 'UTC') COMMENT 'that the row is of: when it began, by the server''s clock' AFTER at,
    MODIFY ORDER BY (dataset, name, sample_id, discovery);

CREATE TABLE IF NOT EXISTS slice_discoveries
(
    dataset LowCardinality(String),
    name LowCardinality(String) COMMENT 'of the slice',
    discovery DateTime64(6, 'UTC') COMMENT 'that was published; the latest counts'
)
ENGINE = ReplacingMergeTree(discovery)
ORDER BY (dataset, name)
SETTINGS non_replicated_deduplication_window = 100
COMMENT 'Which discovery of each slice counts; one without rows in discovered_slices took the slice back: ask slice_members';

INSERT INTO slice_discoveries (dataset, name, discovery)
SELECT DISTINCT dataset, name, discovery FROM discovered_slices WHERE discovery = toDateTime64(0, 6, 'UTC');

CREATE VIEW IF NOT EXISTS slice_members AS
SELECT dataset, name, sample_id, lower(hex(sample_id)) AS sample, value, distance, model, layer, discovery
FROM discovered_slices FINAL
WHERE (dataset, name, discovery) IN (SELECT dataset, name, discovery FROM slice_discoveries FINAL)
COMMENT 'The samples of each discovered slice, with their value of it, by the discovery that counts';

CREATE OR REPLACE VIEW discovered_latest AS
SELECT dataset, sample_id, CAST((groupArray(name), groupArray(value)), 'Map(LowCardinality(String), String)') AS slices
FROM slice_members
GROUP BY dataset, sample_id
COMMENT 'The discovered slices of each sample that has any: sample_latest, label_latest and correction_latest have them beside the producer''s';
