-- Dead letters by cause. $1 org, $2 adapter, $3 type, $4 id, $5 cause, $6 died since (null: all; what is dead is due no more: due_at is when it died), $7 how many
-- -> cause, class, how many, organizations, types (comma), an example of the words, first (us), last (us)
-- params: 7
SELECT sync.cause_of(w.error_class, coalesce(w.error, w.reason)), w.error_class, count(*), count(DISTINCT w.org_id),
       string_agg(DISTINCT w.direction || ' ' || w.record_type, ', '), min(coalesce(w.error, w.reason)),
       (extract(epoch FROM min(w.first_at)) * 1000000)::bigint, (extract(epoch FROM max(w.first_at)) * 1000000)::bigint
FROM sync.work w
WHERE w.state = 'dead' AND ($1::text IS NULL OR w.org_id = $1) AND ($2::text IS NULL OR w.adapter = $2)
  AND ($3::text IS NULL OR w.record_type = $3) AND ($4::text IS NULL OR w.record_id = $4)
  AND ($5::text IS NULL OR sync.cause_of(w.error_class, coalesce(w.error, w.reason)) = $5)
  AND ($6::timestamptz IS NULL OR w.due_at >= $6)
GROUP BY 1, 2
ORDER BY 3 DESC, 1
LIMIT $7;
