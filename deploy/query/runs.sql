-- The training runs of a dataset, those whose losses came last first; finished is 1970 while one goes on.
-- dataset: dataset
SELECT run_id, max(attempt) AS attempt, any(l.model) AS model, uniq(sample_id, object_id) AS objects, max(epoch) + 1 AS epochs, uniq(sample_id, object_id, epoch) AS presentations, any(r.finished) AS finished
FROM losses AS l
LEFT JOIN (SELECT run_id, finished FROM runs FINAL) AS r ON r.run_id = l.run_id
WHERE l.dataset = {dataset:String}
GROUP BY run_id
ORDER BY max(l.arrived) DESC, run_id
