-- Lint asks for the labels of a near-duplicate group, of which a dataset has many and each few.
ALTER TABLE labels ADD INDEX IF NOT EXISTS by_group group_id TYPE bloom_filter(0.001) GRANULARITY 1;
