-- params: 10
-- One step forward, by compare-and-swap on seq, and the status for people. $1 run, $2 type, $3 seq, $4 step, $5 cursor,
-- $6 processed, $7 total, $8 error, $9 status state,
-- $10 ms for which the slice at work has it: the scheduler emits only what nobody has. Affects 1 row, or 0: another did it.
WITH p AS (
    UPDATE sync.phase SET seq = seq + 1, step = $4, cursor = $5, processed = $6, total = $7, error = $8,
        moved_at = now(), attempts = 0, waits = NULL,
        due_at = now() + $10 * interval '1 millisecond',
        emitted_seq = CASE WHEN $4 IN ('done', 'error') THEN seq + 1 ELSE emitted_seq END
    WHERE run_id = $1 AND external_type = $2 AND seq = $3
    RETURNING org_id, adapter, external_type
), s AS (
    UPDATE sync.status s SET state = $9, error = $8, updated_at = now(), total = $7,
        processed = CASE WHEN s.state = $9 THEN greatest(s.processed, $6) ELSE $6 END
    FROM p
    WHERE s.org_id = p.org_id AND s.adapter = p.adapter AND s.external_type = p.external_type AND $9 IS NOT NULL
        AND (s.state, s.processed, s.total, s.error) IS DISTINCT FROM ($9, $6, $7, $8)
)
SELECT 1 FROM p
