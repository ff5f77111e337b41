-- Phases that were emitted, are not waiting for a moment, and have not moved for a while: their message may be lost with a
-- topic. Emitted again; if they are only slow, the message is dropped by its seq. Locks the phases it returns.
-- $1 how many, $2 how long in ms -> org, adapter, generation, run, type, seq
-- params: 2
WITH stalled AS (
    SELECT p.run_id, p.external_type, c.generation
    FROM sync.phase p
    JOIN sync.run r ON r.id = p.run_id AND r.state = 'running'
    JOIN sync.connection c ON c.org_id = p.org_id AND c.adapter = p.adapter AND c.state = 'connected'
    WHERE p.moved_at < now() - $2 * interval '1 millisecond' AND p.step NOT IN ('done', 'error')
      AND p.emitted_seq >= p.seq AND p.due_at <= now()
      AND (p.emitted_at IS NULL OR p.emitted_at < now() - $2 * interval '1 millisecond')
    ORDER BY p.moved_at
    LIMIT $1
    FOR UPDATE OF p SKIP LOCKED
)
UPDATE sync.phase p
SET emitted_seq = p.seq, emitted_at = now()
FROM stalled d
WHERE p.run_id = d.run_id AND p.external_type = d.external_type
RETURNING p.org_id, p.adapter, d.generation, p.run_id, p.external_type, p.seq;
