-- What arrived last is what is to be folded anew.
ALTER TABLE losses ADD INDEX IF NOT EXISTS by_arrived arrived TYPE minmax GRANULARITY 8;

-- What 32 epochs of one object come to. A block is never added to: it is folded anew, as a whole, from the rows that stand, and
-- one whose rows were all superseded stays with no presentations. Arrays have one element a presentation, in epoch order.
CREATE TABLE IF NOT EXISTS loss_blocks
(
    run_id LowCardinality(String) COMMENT 'training run',
    dataset LowCardinality(String),
    sample_id FixedString(16) COMMENT 'hex(sample_id) for people' CODEC(LZ4),
    object_id String COMMENT 'object of the sample; empty: the loss of the whole image' CODEC(LZ4),
    block UInt32 COMMENT 'epoch div 32' CODEC(Delta, LZ4),
    class LowCardinality(String) COMMENT 'class of the label as it stood when the block was folded, or else the rows'' lineage; empty: unknown',
    presentations UInt8 COMMENT 'rows that stand; 0: all were superseded',
    not_finite UInt8 COMMENT 'presentations whose loss is not a finite number',
    correct UInt8 COMMENT 'presentations that were classified correctly',
    events UInt8 COMMENT 'correct at one presentation of the block and wrong at the next',
    first_correct Bool COMMENT 'at its first presentation',
    last_correct Bool COMMENT 'at its last presentation',
    first_learned Nullable(UInt32) COMMENT 'first epoch that was classified correctly',
    p_count UInt8 COMMENT 'finite values of p_true',
    p_sum Float64,
    p_squares Float64,
    margin_count UInt8 COMMENT 'finite values of margin',
    margin_sum Float64 COMMENT 'logits',
    loss_sum Float64 COMMENT 'of the finite losses, nats',
    epochs Array(UInt32) CODEC(LZ4),
    losses Array(Float32) COMMENT 'nats' CODEC(LZ4),
    p_true Array(Float32) CODEC(LZ4),
    el2n Array(Float32) COMMENT 'of the first block alone, as is emb_norm: early epochs are what these are asked about' CODEC(LZ4),
    emb_norm Array(Float32) CODEC(LZ4),
    version DateTime64(3, 'UTC') COMMENT 'when the fold began; the latest replaces the others' CODEC(Delta, LZ4)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY sipHash64(run_id) % 16
ORDER BY (run_id, sample_id, object_id, block)
COMMENT 'Losses folded 32 epochs at a time, superseded folds included: ask scores';

CREATE TABLE IF NOT EXISTS loss_folds
(
    fold UInt8 DEFAULT 0,
    upto DateTime('UTC') COMMENT 'rows of losses that arrived before it are in loss_blocks'
)
ENGINE = ReplacingMergeTree(upto)
ORDER BY fold
COMMENT 'How far losses have been folded: the latest counts';
