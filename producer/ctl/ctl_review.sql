-- Reviews with their candidates, a row per candidate. $1 org (null: all), $2 how many reviews, $3 review (null: the open ones)
-- -> review, org, adapter, kind, type, external id, entity type, entity id, field, created (us), detail, state, decided by,
-- decided (us), candidate, score, reasons
-- params: 3
SELECT r.id, r.org_id, r.adapter, r.kind, r.external_type, r.external_id, r.entity_type, r.entity_id, r.field,
       (extract(epoch FROM r.created_at) * 1000000)::bigint, r.detail, r.state, r.decided_by,
       (extract(epoch FROM r.decided_at) * 1000000)::bigint, k.entity_id, k.score, array_to_string(k.reasons, ', ')
FROM (SELECT * FROM sync.review WHERE CASE WHEN $3::int8 IS NULL THEN state = 'open' ELSE id = $3 END
          AND ($1::text IS NULL OR org_id = $1) ORDER BY id LIMIT $2) r
LEFT JOIN sync.review_candidate k ON k.review_id = r.id
ORDER BY r.id, k.score DESC, k.entity_id;
