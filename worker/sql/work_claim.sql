-- params: 5
-- Takes rows that are due, or whose lease has run out; those for spare permits only when no ordinary one is due, since a batch
-- is over when its slowest is. $1 org, $2 adapter,
-- $3 lease ms, $4 at most, $5 ms between two looks. Locks rows, skips locked ones.
WITH first AS (
    SELECT priority FROM sync.work
    WHERE org_id = $1 AND adapter = $2 AND direction = 'in'
        AND ((state IN ('ready', 'waiting') AND due_at <= now()) OR (state = 'leased' AND lease_until < now()))
    ORDER BY priority LIMIT 1
), due AS (
    SELECT record_type, record_id FROM sync.work
    WHERE org_id = $1 AND adapter = $2 AND direction = 'in' AND priority = (SELECT priority FROM first)
        AND ((state IN ('ready', 'waiting') AND due_at <= now()) OR (state = 'leased' AND lease_until < now()))
    ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
), w AS (
    INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id)
    SELECT $1, $2, 'in', due.record_type, due.record_id FROM due
    ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET state = 'leased', fence = w.fence + 1,
        taken_gen = w.gen, lease_until = now() + $3 * interval '1 millisecond'
    RETURNING w.*
), r AS (
    SELECT id FROM sync.run WHERE org_id = $1 AND adapter = $2 AND state = 'running'
), s AS MATERIALIZED (SELECT nextval('sync.read_seq') AS n)
SELECT w.record_type, w.record_id, w.fence, w.attempts, w.reason, w.waits_for, w.priority,
    l.link_metadata ->> 'parent', l.state, coalesce(l.run_id = r.id, false),
    coalesce(l.missing_since <= now() - $5 * interval '1 millisecond', false), coalesce(r.id, 0), s.n
FROM w CROSS JOIN s LEFT JOIN r ON true
LEFT JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2
    AND l.external_type = w.record_type AND l.external_id = w.record_id LIMIT 1) l ON true
