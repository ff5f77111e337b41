-- params: 6
-- Something may have to be done for these records: they are read, also those that wait for another record. One that waits for its second
-- look goes on waiting for it: whoever asks often must not make it a first one again and again.
-- $1 org, $2 adapter, $3 types, $4 ids, $5 reason, $6 priority.
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason, priority)
SELECT DISTINCT $1, $2, 'in', x.t, x.i, $5, $6::smallint FROM unnest($3::text[], $4::text[]) AS x (t, i)
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
    SET gen = w.gen + 1,
        reason = CASE WHEN w.reason = 'second look' AND w.state <> 'dead' THEN w.reason
                      WHEN w.state IN ('ready', 'leased') AND w.reason NOT IN ('edge', 'value') THEN w.reason ELSE excluded.reason END,
        state = CASE WHEN w.state IN ('ready', 'leased') OR (w.state = 'waiting' AND w.reason = 'second look') THEN w.state
                     ELSE 'ready' END,
        due_at = CASE WHEN w.state IN ('ready', 'leased') OR (w.state = 'waiting' AND w.reason = 'second look') THEN w.due_at
                      ELSE now() END,
        attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
