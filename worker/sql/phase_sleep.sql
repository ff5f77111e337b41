-- params: 6
-- The slice cannot go on: the scheduler emits seq again at due_at. $1 run, $2 type, $3 seq, $4 ms from now (-1: until woken),
-- $5 why, $6 attempts. Affects 1 row, or 0: another moved it.
UPDATE sync.phase SET due_at = CASE WHEN $4 < 0 THEN 'infinity' ELSE now() + $4 * interval '1 millisecond' END,
    emitted_seq = seq - 1, waits = $5, attempts = $6
WHERE run_id = $1 AND external_type = $2 AND seq = $3
