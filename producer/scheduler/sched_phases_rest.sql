-- Due phases of connections that are stopped, or of runs that have ended, are looked at again in 30 s: else every tick would
-- read them. Resume and reconnect set due_at = now(); should they cross with this, it is 30 s.
-- $1 how many
-- params: 1
WITH idle AS (
    SELECT p.run_id, p.external_type
    FROM sync.phase p
    WHERE p.emitted_seq < p.seq AND p.due_at <= now() AND p.step NOT IN ('done', 'error')
      AND NOT EXISTS (
          SELECT FROM sync.run r
          JOIN sync.connection c ON c.org_id = r.org_id AND c.adapter = r.adapter
          WHERE r.id = p.run_id AND r.state = 'running' AND c.state = 'connected')
    ORDER BY p.due_at
    LIMIT $1
    FOR UPDATE OF p SKIP LOCKED
)
UPDATE sync.phase p
SET due_at = now() + interval '30 seconds'
FROM idle i
WHERE p.run_id = i.run_id AND p.external_type = i.external_type;
