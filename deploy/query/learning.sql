-- What each epoch of a run came to: mean loss, accuracy, and the objects that it forgot.
-- run: training run
SELECT epoch, count() AS presentations, avgIf(loss, isFinite(loss)) AS mean_loss, avg(correct) AS accuracy, avg(forgot) AS forgot
FROM loss_latest
WHERE run_id = {run:String}
GROUP BY epoch
ORDER BY epoch
