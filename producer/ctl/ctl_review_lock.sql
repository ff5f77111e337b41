-- A review, held. $1 review -> org, adapter, kind, type, external id, entity type, entity id, field, detail, state, link's rev,
-- candidates (comma)
-- params: 1
SELECT r.org_id, r.adapter, r.kind, r.external_type, r.external_id, r.entity_type, r.entity_id, r.field, r.detail, r.state, r.link_rev,
       (SELECT string_agg(k.entity_id, ',' ORDER BY k.score DESC, k.entity_id) FROM sync.review_candidate k WHERE k.review_id = r.id)
FROM sync.review r WHERE r.id = $1 FOR UPDATE OF r;
