-- Claims due moments and moves each to the next one of its own grid (a stable hash of its name within the period, so there
-- are no bursts) in the same statement: the caller commits once the broker has acknowledged, else rolls back. Connections
-- that are stopped move too, and are not emitted. Locks the rows it returns.
-- $1 how many -> org, adapter, generation, to be emitted
-- params: 1
WITH due AS (
    SELECT s.ctid AS place, c.generation, coalesce(c.state = 'connected', false) AS emit,
           s.period_s * 1000::bigint AS period_ms,
           (hashtextextended(s.org_id || chr(31) || s.adapter, 0) & 9223372036854775807) % (s.period_s * 1000::bigint) AS off_ms
    FROM sync.schedule s
    LEFT JOIN sync.connection c ON c.org_id = s.org_id AND c.adapter = s.adapter
    WHERE s.due_at <= now()
    ORDER BY s.due_at
    LIMIT $1
    FOR UPDATE OF s SKIP LOCKED
)
UPDATE sync.schedule s
SET due_at = to_timestamp(
        ((((extract(epoch FROM now()) * 1000)::bigint - d.off_ms) / d.period_ms + 1) * d.period_ms + d.off_ms) / 1000.0::double precision),
    emitted_at = CASE WHEN d.emit THEN now() ELSE s.emitted_at END,
    generation = coalesce(d.generation, s.generation)
FROM due d
WHERE s.ctid = d.place
RETURNING s.org_id, s.adapter, s.generation, d.emit;
