-- Runs whose losses came before arrivals were noted have them counted once, as one batch, which a repetition replaces. So their epochs
-- are summed up without being asked for.
INSERT INTO loss_arrivals (run_id, batch, dataset, attempt, epoch, loss_rows, late, nan, at)
SELECT run_id, 'before arrivals were noted', any(dataset), max((attempt, epoch)).1, max((attempt, epoch)).2, count(), 0, countIf(NOT isFinite(loss)), min(arrived)
FROM losses
WHERE run_id NOT IN (SELECT run_id FROM loss_arrivals)
GROUP BY run_id;
