-- params: 6
-- Links what was matched. $1 org, $2 adapter, $3 type, $4 ids, $5 entity ids, $6 entity tag.
INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, id, kind, state, entity_type, entity_id,
    last_processed_at)
SELECT $1, $2, $3, i.ext, l.id, l.kind, 'linked', $6, i.eid, now() FROM unnest($4::text[], $5::text[]) AS i (ext, eid)
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE
    SET state = 'linked', entity_type = excluded.entity_type, entity_id = excluded.entity_id, last_processed_at = now(),
        rev = l.rev + 1
    WHERE l.state = 'unmatched' AND l.entity_id IS NULL
