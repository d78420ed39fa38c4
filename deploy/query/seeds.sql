-- The objects that no run of a dataset ever learned, or that all of its runs forget most: by their mean over the runs.
-- dataset: dataset
-- top: at most so many objects [100]
SELECT sample, object_id, any(class) AS class, count() AS runs, countIf(never_learned) AS never_learned, avg(forgetting) AS forgetting, stddevSamp(forgetting) AS spread, avg(aum) AS aum
FROM scores
WHERE dataset = {dataset:String}
GROUP BY sample, object_id
ORDER BY forgetting DESC, aum, sample, object_id
LIMIT {top:UInt32}
