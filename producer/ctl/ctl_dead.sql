-- Dead letters. $1 org (null: all), $2 how many, $3 adapter, $4 type, $5 id (null: all)
-- -> org, adapter, direction, type, id, attempts, class, error, place, first (us), due (us), reason, gen
-- params: 5
SELECT w.org_id, w.adapter, w.direction, w.record_type, w.record_id, w.attempts, w.error_class, w.error, w.place,
       (extract(epoch FROM w.first_at) * 1000000)::bigint, (extract(epoch FROM w.due_at) * 1000000)::bigint, w.reason, w.gen
FROM sync.work w
WHERE w.state = 'dead' AND ($1::text IS NULL OR w.org_id = $1) AND ($3::text IS NULL OR w.adapter = $3)
  AND ($4::text IS NULL OR w.record_type = $4) AND ($5::text IS NULL OR w.record_id = $5)
ORDER BY w.first_at, w.org_id, w.adapter, w.direction, w.record_type, w.record_id
LIMIT $2;
