-- Something is to be done because a person asked for it. $1 org, $2 adapter, $3 direction, $4 type, $5 id, $6 reason
-- params: 6
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
    SET gen = w.gen + 1, reason = excluded.reason, attempts = 0, waits_for = NULL,
        state = CASE WHEN w.state = 'leased' THEN w.state ELSE 'ready' END,
        due_at = CASE WHEN w.state = 'leased' THEN w.due_at ELSE now() END;
