-- What the rules of a dataset have decided: how many samples, or classes, each decision is in force on, and since when.
-- dataset: dataset
SELECT decision, action, countIf(active) AS in_force, countIf(NOT active AND streak > 0) AS waiting, countIf(active AND since_run = run_id) AS since_last_run, avgIf(weight, active) AS mean_weight, max(at) AS last
FROM decision_latest
WHERE dataset = {dataset:String}
GROUP BY decision, action
ORDER BY decision, action
