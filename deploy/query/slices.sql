-- How well a run learns the objects of each value of a slice, such as weather.
-- run: training run
-- slice: name of the slice, the producer's or discovered
SELECT c.slices[{slice:String}] AS value, count() AS objects, avg(s.correctness) AS correctness, avgIf(s.mean_loss, isFinite(s.mean_loss)) AS mean_loss, avg(s.forgetting_events) AS forgetting_events, countIf(s.kind = 'edge') AS edge, countIf(s.kind = 'label_error') AS label_error
FROM (SELECT * FROM scores WHERE run_id = {run:String}) AS s
LEFT JOIN (SELECT sample_id, slices FROM sample_latest WHERE sample_id IN (SELECT sample_id FROM loss_blocks WHERE run_id = {run:String})) AS c ON c.sample_id = s.sample_id
GROUP BY value
ORDER BY mean_loss DESC, value
