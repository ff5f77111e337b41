-- params: 5
-- Records that nobody knows and that may be ours, made there since a moment: they stay staged and are looked at again, when what
-- became of ours is known. $1 org, $2 adapter, $3 type, $4 ids, $5 since (ms since 1970, by our clock).
-- Gives those that are not held.
WITH l AS MATERIALIZED (
    SELECT l.external_id, l.state = 'unmatched' AND l.entity_id IS NULL
        AND coalesce(extract(epoch FROM l.external_created_at) * 1000 >= $5 - 60000
            + (SELECT c.clock_offset_ms FROM sync.connection c WHERE c.org_id = $1 AND c.adapter = $2), true) AS is_held
    FROM unnest($4::text[]) AS i (ext)
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
), h AS (
    INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason, due_at)
    SELECT $1, $2, 'in', $3, l.external_id, 'held', now() + interval '3 seconds' FROM l WHERE l.is_held
    ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
        SET gen = w.gen + 1, reason = excluded.reason,
            state = CASE WHEN w.state = 'leased' THEN w.state ELSE 'ready' END,
            due_at = CASE WHEN w.state = 'ready' AND w.reason = 'held' THEN least(w.due_at, excluded.due_at) ELSE excluded.due_at END,
            attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
)
SELECT l.external_id FROM l WHERE NOT l.is_held
