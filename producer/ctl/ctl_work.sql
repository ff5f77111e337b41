-- What waits. $1 org (null: all), $2 how many
-- -> org, adapter, direction, type, id, state, attempts, why, waits for, first (us), due (us)
-- params: 2
SELECT w.org_id, w.adapter, w.direction, w.record_type, w.record_id, w.state, w.attempts, coalesce(w.error, w.reason), w.waits_for,
       (extract(epoch FROM w.first_at) * 1000000)::bigint, (extract(epoch FROM w.due_at) * 1000000)::bigint
FROM sync.work w
WHERE w.state <> 'dead' AND ($1::text IS NULL OR w.org_id = $1)
ORDER BY w.first_at, w.org_id, w.adapter, w.direction, w.record_type, w.record_id
LIMIT $2;
