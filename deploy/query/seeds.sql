-- The objects that no run of a dataset ever learned, or that all of its runs forget most: by their mean over the runs.
-- dataset: dataset
-- top: at most so many objects [100]
SELECT sample, object_id, any(s.class) AS class, count() AS runs, countIf(s.never_learned) AS never_learned, avg(s.forgetting) AS forgetting, stddevSamp(s.forgetting) AS spread, avgIf(s.aum, isFinite(s.aum)) AS aum
FROM scores AS s
WHERE dataset = {dataset:String}
GROUP BY sample, object_id
ORDER BY forgetting DESC, aum, sample, object_id
LIMIT {top:UInt32}
