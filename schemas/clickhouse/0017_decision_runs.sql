-- Runs of one dataset take turns: what each has shown is remembered, so that no presentation counts twice. When a decision came into
-- force tells one request to people from the next.
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS other_runs Array(String) COMMENT 'runs whose evaluations counted before those of run_id, the latest first' AFTER seen;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS other_seen Array(UInt32) COMMENT 'seen, at the last evaluation of each of other_runs that counted' AFTER other_runs;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS since_at DateTime64(6, 'UTC') COMMENT 'when active changed last' AFTER since_seen;

CREATE OR REPLACE VIEW decision_latest AS
SELECT dataset, sample_id, lower(hex(sample_id)) AS sample, object_id, class, decision, action, active, streak, run_id, seen, other_runs, other_seen, since_run, since_seen, since_at, score, weight, reason, top, at
FROM decisions FINAL
COMMENT 'Where each decision of a dataset''s rules stands about each object, or class, that it holds, held or is about to';
