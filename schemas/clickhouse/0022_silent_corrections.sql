-- A submission that left nothing to judge replaces what was said of its sample before, by a row without proposal and label.

ALTER TABLE corrections MODIFY COLUMN proposal_id COMMENT 'empty: a label that no model''s proposal found or, without an object_id, a submission that left nothing to judge';

CREATE OR REPLACE VIEW correction_latest AS
SELECT
    c.dataset AS dataset, c.sample_id AS sample_id, lower(hex(c.sample_id)) AS sample, c.revision AS revision,
    multiIf(c.proposal_id = '', 'missed', c.accepted, 'accepted', 'rejected') AS outcome,
    c.proposal_id AS proposal_id, c.object_id AS object_id, c.source AS source, c.models AS models, c.class AS class, c.canonical AS canonical,
    c.labeled AS labeled, c.score AS score, c.accepted AS accepted, c.proposal AS proposal, c.label AS label, c.w AS w, c.h AS h,
    mapUpdate(d.slices, c.slices) AS slices, c.actor AS actor, c.at AS at
FROM corrections AS c FINAL
LEFT JOIN discovered_latest AS d ON d.dataset = c.dataset AND d.sample_id = c.sample_id
WHERE (c.sample_id, c.revision) IN (SELECT sample_id, max(revision) FROM corrections GROUP BY sample_id) AND (c.proposal_id != '' OR c.object_id != '')
COMMENT 'How each proposal fared in the latest submission of its sample: accepted (a label stands there), rejected, or missed (a label without a proposal). slices: as in sample_latest';
