-- Every presentation of a run that stands. `gleaner export --losses` writes it, and `gleaner losses push` reads that.
-- run: training run
SELECT run_id, attempt, model, dataset, sample AS sample_id, object_id, epoch, step, loss, correct, margin, p_true, el2n, emb_norm, forgot, lineage
FROM loss_latest
WHERE run_id = {run:String}
ORDER BY sample_id, object_id, epoch
