-- The classes of a run: how well they are learned, and how many of their objects are of which kind.
-- run: training run
SELECT
    class, count() AS objects, avg(correctness) AS correctness, avgIf(s.confidence, isFinite(s.confidence)) AS confidence, avgIf(s.variability, isFinite(s.variability)) AS variability, avg(forgetting_events) AS forgetting_events,
    avg(never_learned) AS never_learned, countIf(kind = 'easy') AS easy, countIf(kind = 'hard') AS hard, countIf(kind = 'edge') AS edge, countIf(kind = 'label_error') AS label_error
FROM scores AS s
WHERE run_id = {run:String}
GROUP BY class
ORDER BY objects DESC, class
