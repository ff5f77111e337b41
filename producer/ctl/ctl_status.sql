-- Connections with their types. $1 org (null: all), $2 adapter (null: all)
-- -> org, adapter, mode, state, reason, type, plural, type's state, processed, total, error, last poll, state since (us)
-- params: 2
SELECT c.org_id, c.adapter, c.mode, c.state, c.reason, s.external_type, s.plural, s.state, s.processed, s.total, s.error,
       to_char(CASE WHEN s.state = 'active' AND s.last_successful_poll IS NOT NULL THEN greatest(s.last_successful_poll,
           (SELECT p.polled FROM sync.schedule p WHERE p.org_id = s.org_id AND p.adapter = s.adapter
            AND p.kind IN ('poll', 'poll:' || s.external_type) ORDER BY p.kind DESC LIMIT 1))
           ELSE s.last_successful_poll END AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       (extract(epoch FROM c.state_since) * 1000000)::bigint
FROM sync.connection c
LEFT JOIN sync.status s ON s.org_id = c.org_id AND s.adapter = c.adapter
WHERE ($1::text IS NULL OR c.org_id = $1) AND ($2::text IS NULL OR c.adapter = $2)
ORDER BY c.org_id, c.adapter, s.ordinal;
