-- The data map of a run (Swayamdipta et al. 2020): each object by confidence and variability, with its kind.
-- run: training run
-- top: at most so many objects, a random sample of them, the same each time [5000]
SELECT sample, object_id, class, kind, confidence, variability, correctness, aum, error_score
FROM scores
WHERE run_id = {run:String}
ORDER BY cityHash64(sample_id, object_id)
LIMIT {top:UInt32}
