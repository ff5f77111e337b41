-- Open questions about an entity. $1 org, $2 entity, $3 field (null: all) -> review, adapter, kind, field, since (us)
-- params: 3
SELECT r.id, r.adapter, r.kind, r.field, (extract(epoch FROM r.created_at) * 1000000)::bigint FROM sync.review r
WHERE r.org_id = $1 AND r.entity_id = $2 AND r.state = 'open' AND ($3::text IS NULL OR r.field IN ('', $3))
ORDER BY r.id;
