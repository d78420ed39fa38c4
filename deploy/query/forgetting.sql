-- How many objects of a run were forgotten how often (Toneva et al. 2019); those never learned stand apart.
-- run: training run
SELECT if(never_learned, NULL, forgetting_events) AS events, count() AS objects, count() / sum(count()) OVER () AS share
FROM scores
WHERE run_id = {run:String}
GROUP BY events
ORDER BY events NULLS LAST
