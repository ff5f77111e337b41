-- Dead letters. $1 org, $2 adapter, $3 type, $4 id, $5 cause, $6 died since (null: all; what is dead is due no more: due_at is when it died), $7 how many
-- -> org, adapter, direction, type, id, attempts, class, error, place, first (us), due (us), reason, gen, cause, intent
-- params: 7
SELECT w.org_id, w.adapter, w.direction, w.record_type, w.record_id, w.attempts, w.error_class, w.error, w.place,
       (extract(epoch FROM w.first_at) * 1000000)::bigint, (extract(epoch FROM w.due_at) * 1000000)::bigint, w.reason, w.gen,
       sync.cause_of(w.error_class, coalesce(w.error, w.reason)), w.intent
FROM sync.work w
WHERE w.state = 'dead' AND ($1::text IS NULL OR w.org_id = $1) AND ($2::text IS NULL OR w.adapter = $2)
  AND ($3::text IS NULL OR w.record_type = $3) AND ($4::text IS NULL OR w.record_id = $4)
  AND ($5::text IS NULL OR sync.cause_of(w.error_class, coalesce(w.error, w.reason)) = $5)
  AND ($6::timestamptz IS NULL OR w.due_at >= $6)
ORDER BY w.first_at, w.org_id, w.adapter, w.direction, w.record_type, w.record_id
LIMIT $7;
