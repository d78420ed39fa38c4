-- Every score of a run. `gleaner export --scores` writes it.
-- run: training run
SELECT * EXCEPT (sample_id)
FROM scores
WHERE run_id = {run:String}
ORDER BY sample, object_id
