-- What a dead letter is about, as it is now. $1 org, $2 adapter, $3 direction, $4 type, $5 id
-- -> external type, external id, link's state, entity type, entity, fields staged that differ from what was seen (comma), seen, agreed
-- params: 5
SELECT l.external_type, l.external_id, l.state, l.entity_type, l.entity_id,
       (SELECT string_agg(k.key, ', ' ORDER BY k.key) FROM jsonb_each(b.staged) k WHERE k.value IS DISTINCT FROM b.seen -> k.key),
       b.seen, b.agreed
FROM sync.external_link l LEFT JOIN sync.base b ON b.org_id = l.org_id AND b.link_id = l.id
WHERE l.org_id = $1 AND l.adapter = $2
  AND CASE WHEN $3 = 'in' THEN l.external_type = $4 AND l.external_id = $5
           ELSE l.entity_id = split_part($5, '|', 1) AND l.kind = 'entity' AND l.state = 'linked' END
LIMIT 1;
