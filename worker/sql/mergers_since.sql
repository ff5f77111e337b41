-- params: 3
-- Since when a merger may explain that a record is gone: a day before the last moment up to which we have read (us). $1 org,
-- $2 adapter, $3 type.
SELECT (extract(epoch FROM least(coalesce(greatest(s.last_successful_poll, p.polled), now() - interval '30 days'), now(),
    (SELECT min(r.started_at) FROM sync.run r WHERE r.org_id = $1 AND r.adapter = $2 AND r.state = 'running'))
    - interval '1 day') * 1000000)::bigint
FROM (SELECT) x
LEFT JOIN sync.status s ON s.org_id = $1 AND s.adapter = $2 AND s.external_type = $3
LEFT JOIN sync.schedule p ON p.org_id = $1 AND p.adapter = $2 AND p.kind = 'poll'
