-- Claims phases whose next task was not emitted, and moves them in the same statement: the caller commits once the broker has
-- acknowledged, else rolls back. Locks the phases it returns.
-- $1 how many -> org, adapter, generation, run, type, seq
-- params: 1
WITH due AS (
    SELECT p.run_id, p.external_type, c.generation
    FROM sync.phase p
    JOIN sync.run r ON r.id = p.run_id AND r.state = 'running'
    JOIN sync.connection c ON c.org_id = p.org_id AND c.adapter = p.adapter AND c.state = 'connected'
    WHERE p.emitted_seq < p.seq AND p.due_at <= now() AND p.step NOT IN ('done', 'error')
    ORDER BY p.due_at
    LIMIT $1
    FOR UPDATE OF p SKIP LOCKED
)
UPDATE sync.phase p
SET emitted_seq = p.seq, emitted_at = now()
FROM due d
WHERE p.run_id = d.run_id AND p.external_type = d.external_type
RETURNING p.org_id, p.adapter, d.generation, p.run_id, p.external_type, p.seq;
