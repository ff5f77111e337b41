-- Claims due moments and moves each, in the same statement, to the next one of its own grid (a stable hash of its name within the
-- period, so there are no bursts), or, since it may be lost with its worker, to a look in a while: whoever does it moves it on. The
-- caller commits once the broker has acknowledged, else rolls back. Connections that are stopped move too, and are not emitted;
-- they are few and have an index of their own. Locks the rows it returns.
-- $1 how many, $2 not before (where the last batch of this turn ended: what it moved would be walked over again and again),
-- $3 ms after which it is emitted again
-- -> org, adapter, generation, to be emitted, when it was due (us)
-- params: 3
WITH due AS (
    SELECT s.ctid AS place, s.due_at, stopped.org_id IS NULL AS emit,
           sync.next_moment(s.org_id, s.adapter, s.kind, s.period_s, now()) AS next
    FROM sync.schedule s
    LEFT JOIN sync.connection stopped
        ON stopped.org_id = s.org_id AND stopped.adapter = s.adapter AND stopped.state <> 'connected'
    WHERE s.due_at <= now() AND s.due_at >= $2
    ORDER BY s.due_at
    LIMIT $1
    FOR UPDATE OF s SKIP LOCKED
)
UPDATE sync.schedule s
SET due_at = CASE WHEN d.emit THEN least(d.next, now() + $3 * interval '1 millisecond') ELSE d.next END,
    wanted = CASE WHEN d.emit AND s.wanted = s.done THEN s.wanted + 1 ELSE s.wanted END,
    emitted_at = CASE WHEN d.emit THEN now() ELSE s.emitted_at END
FROM due d
WHERE s.ctid = d.place
RETURNING s.org_id, s.adapter, s.generation, d.emit, (extract(epoch FROM d.due_at) * 1000000)::bigint;
