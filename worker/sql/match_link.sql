-- params: 6
-- Links what was matched. $1 org, $2 adapter, $3 type, $4 ids, $5 entity ids, $6 entity tag.
UPDATE sync.external_link l SET state = 'linked', entity_type = $6, entity_id = x.eid, rev = l.rev + 1, last_processed_at = now()
FROM unnest($4::text[], $5::text[]) AS x (ext, eid)
WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = ANY ($4)
    AND l.external_id = x.ext AND l.state = 'unmatched'
    AND l.entity_id IS NULL
