-- params: 4
-- Links of entities. $1 org, $2 adapter, $3 entity ids, $4 their tags. Gives entity id, tag, external type and id (null: not linked),
-- w: it is on its way there, s: it is stuck on it (null: neither).
SELECT i.id, i.tag, l.external_type, l.external_id,
    CASE WHEN l.external_id IS NULL THEN (SELECT CASE WHEN w.state IN ('parked', 'dead') THEN 's' ELSE 'w' END FROM sync.work w
        WHERE w.org_id = $1 AND w.adapter = $2 AND w.direction = 'out' AND w.record_type = i.tag AND w.record_id = i.id) END
FROM unnest($3::text[], $4::text[]) AS i (id, tag)
LEFT JOIN LATERAL (SELECT l.external_type, l.external_id FROM (SELECT * FROM sync.external_link l WHERE l.entity_id = i.id
    AND l.org_id = $1 AND l.kind = 'entity' AND l.state = 'linked' OFFSET 0) l WHERE l.adapter = $2) l ON true
