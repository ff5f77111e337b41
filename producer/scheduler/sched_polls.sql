-- Claims due moments and moves each to the next one of its own grid (a stable hash of its name within the period, so there
-- are no bursts) in the same statement: the caller commits once the broker has acknowledged, else rolls back. Connections
-- that are stopped move too, and are not emitted; they are few and have an index of their own. Locks the rows it returns.
-- $1 how many, $2 not before (where the last batch of this turn ended: what it moved would be walked over again and again)
-- -> org, adapter, generation, to be emitted, when it was due (us)
-- params: 2
WITH due AS (
    SELECT s.ctid AS place, s.due_at, stopped.org_id IS NULL AS emit, s.period_s * 1000::bigint AS period_ms,
           (hashtextextended(s.org_id || chr(31) || s.adapter, 0) & 9223372036854775807) % (s.period_s * 1000::bigint) AS off_ms
    FROM sync.schedule s
    LEFT JOIN sync.connection stopped
        ON stopped.org_id = s.org_id AND stopped.adapter = s.adapter AND stopped.state <> 'connected'
    WHERE s.due_at <= now() AND s.due_at >= $2
    ORDER BY s.due_at
    LIMIT $1
    FOR UPDATE OF s SKIP LOCKED
)
UPDATE sync.schedule s
SET due_at = to_timestamp(
        ((((extract(epoch FROM now()) * 1000)::bigint - d.off_ms) / d.period_ms + 1) * d.period_ms + d.off_ms) / 1000.0::double precision),
    emitted_at = CASE WHEN d.emit THEN now() ELSE s.emitted_at END
FROM due d
WHERE s.ctid = d.place
RETURNING s.org_id, s.adapter, s.generation, d.emit, (extract(epoch FROM d.due_at) * 1000000)::bigint;
