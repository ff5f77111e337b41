-- What is owed, by connection. $1 org (null: all) -> org, adapter, connection's state, what, how many, why, since (us)
-- params: 1
SELECT p.org_id, p.adapter, c.state, 'phase ' || p.step || ' of ' || p.external_type, 1::bigint, p.waits,
       (extract(epoch FROM p.moved_at) * 1000000)::bigint
FROM sync.phase p
JOIN sync.run r ON r.id = p.run_id AND r.state = 'running'
JOIN sync.connection c ON c.org_id = p.org_id AND c.adapter = p.adapter AND c.state <> 'disconnected'
WHERE p.step NOT IN ('done', 'error') AND ($1::text IS NULL OR p.org_id = $1)
UNION ALL
SELECT w.org_id, w.adapter, max(c.state), 'work ' || w.state || ', ' || w.direction || ' ' || w.record_type, count(*),
       max(coalesce(w.waits_for, w.reason)), (extract(epoch FROM min(w.first_at)) * 1000000)::bigint
FROM sync.work w
LEFT JOIN sync.connection c ON c.org_id = w.org_id AND c.adapter = w.adapter
WHERE w.state IN ('ready', 'leased', 'waiting') AND ($1::text IS NULL OR w.org_id = $1)
  AND c.state IS DISTINCT FROM 'disconnected'
GROUP BY w.org_id, w.adapter, w.state, w.direction, w.record_type
UNION ALL
SELECT s.org_id, s.adapter, c.state, replace(replace(s.kind, 'ask:', ''), ':', ' of ') || ', asked for', 1::bigint,
       CASE WHEN s.attempts > 0 THEN s.attempts || ' failures' END, (extract(epoch FROM s.emitted_at) * 1000000)::bigint
FROM sync.schedule s
JOIN sync.connection c ON c.org_id = s.org_id AND c.adapter = s.adapter AND c.state <> 'disconnected'
WHERE s.asked > s.done AND ($1::text IS NULL OR s.org_id = $1)
ORDER BY 1, 2, 4
LIMIT 500;
