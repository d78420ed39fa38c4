-- When a row was written lets readers, the search for near duplicates among them, ask for what is new. Rows from before count
-- as old, which they must be made to say: a default is worked out anew whenever a part that lacks the column is read.
ALTER TABLE samples ADD COLUMN IF NOT EXISTS written DateTime64(3, 'UTC') DEFAULT toDateTime64(0, 3, 'UTC') COMMENT 'when the catalog wrote the row, by the server''s clock' CODEC(Delta, LZ4);
ALTER TABLE samples MATERIALIZE COLUMN written SETTINGS mutations_sync = 2;
ALTER TABLE samples MODIFY COLUMN written DEFAULT now64(3, 'UTC');
ALTER TABLE samples ADD INDEX IF NOT EXISTS by_written written TYPE minmax GRANULARITY 8;

DROP VIEW IF EXISTS hashes_of_samples;
DROP TABLE IF EXISTS hashes;

