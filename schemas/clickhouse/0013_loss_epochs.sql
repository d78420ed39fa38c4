-- Codecs as measured by `make bench-analysis ONLY=codecs`: T64 halves steps, which are at random within an epoch; floats resist every
-- codec that does not cost more time than it saves space. Parts stay in one file a piece until they are large: writing and merging
-- small ones column by column costs more than all else. When a row arrived is what its retention counts from; rows from before
-- have the time of this migration, written down.
ALTER TABLE losses MODIFY COLUMN attempt CODEC(LZ4);
ALTER TABLE losses MODIFY COLUMN step CODEC(T64, LZ4);
ALTER TABLE losses MODIFY SETTING min_bytes_for_wide_part = 134217728;
ALTER TABLE losses ADD COLUMN IF NOT EXISTS arrived DateTime('UTC') DEFAULT now() COMMENT 'when the row was written, by the server''s clock' CODEC(Delta, LZ4);
ALTER TABLE losses MATERIALIZE COLUMN arrived SETTINGS mutations_sync = 2;

-- What came, before anything was folded: one row for each run of each insert. A batch that is delivered again in the same cut
-- replaces itself; cut differently, its rows count again, as the doubles that they are.
CREATE TABLE IF NOT EXISTS loss_arrivals
(
    run_id String,
    batch String COMMENT 'token of the insert',
    dataset LowCardinality(String),
    attempt UInt32 COMMENT 'highest',
    epoch UInt32 COMMENT 'highest of that attempt',
    loss_rows UInt64,
    late UInt64 COMMENT 'rows of an epoch, or an attempt, before one that had come already',
    nan UInt64 COMMENT 'rows whose loss is not finite',
    at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (run_id, batch)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Losses as they came, batch by batch: read with FINAL';

CREATE TABLE IF NOT EXISTS loss_epochs
(
    run_id String,
    epoch UInt32,
    lineage LowCardinality(String) COMMENT 'of the objects'' class, as in losses',
    dataset LowCardinality(String),
    presentations UInt64 COMMENT 'rows that stand; 0: none any more',
    correct UInt64 COMMENT 'of presentations',
    nan UInt64 COMMENT 'of presentations, those whose loss is not finite',
    loss Float64 COMMENT 'sum over those whose loss is finite, in nats',
    version UInt64 COMMENT 'Unix microseconds at which the rebuild began; the latest replaces the others'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (run_id, epoch, lineage)
SETTINGS non_replicated_deduplication_window = 100
COMMENT 'Summaries of epochs by class, always rebuilt from loss_latest and never added to: ask the view epochs';

CREATE VIEW IF NOT EXISTS epochs AS
SELECT
    run_id,
    any(e.dataset) AS dataset,
    epoch,
    sum(e.presentations) AS presentations,
    if(presentations > nan_losses, sum(e.loss) / (presentations - nan_losses), NULL) AS mean_loss,
    sum(e.correct) / presentations AS accuracy,
    sum(e.nan) AS nan_losses
FROM loss_epochs AS e FINAL
WHERE e.presentations > 0
GROUP BY run_id, epoch
COMMENT 'One row per run and epoch: presentations that stand, their mean loss in nats (those that are not finite left out, NULL where none is) and accuracy at presentation';
