-- The objects of a run whose labels look wrong, the most doubtful first, with the ids that producers gave.
-- run: training run
-- top: at most so many objects [100]
SELECT s.sample AS sample, l.unique_id AS unique_id, s.object_id AS object_id, s.class AS class, s.kind AS kind, s.error_score AS error_score, s.aum AS aum, s.mean_loss AS mean_loss, s.correctness AS correctness
FROM (SELECT * FROM scores WHERE run_id = {run:String} AND isFinite(error_score)) AS s
LEFT JOIN (SELECT sample_id, unique_id FROM samples FINAL WHERE sample_id IN (SELECT sample_id FROM loss_blocks WHERE run_id = {run:String})) AS l ON l.sample_id = s.sample_id
ORDER BY s.error_score DESC, sample, object_id
LIMIT {top:UInt32}
