-- The selections of a dataset, the newest first: what picked how many samples out of which run.
-- dataset: dataset
SELECT selection_id, kind, method, run_id, dataset_version, picks, at
FROM selections FINAL
WHERE dataset = {dataset:String}
ORDER BY at DESC, selection_id
