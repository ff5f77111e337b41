-- params: 8
-- What was created there is linked; late answers too. $1 org, $2 adapter, $3 type, $4 external id, $5 kind, $6 entity tag, $7 entity id,
-- $8 number of the answer. Gives the link; no row: it is linked to another entity.
INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, kind, state, entity_type, entity_id, push_seq,
    last_processed_at)
VALUES ($1, $2, $3, $4, $5, 'linked', $6, $7, $8, now())
ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE SET state = 'linked', entity_type = excluded.entity_type,
    entity_id = excluded.entity_id, push_seq = excluded.push_seq, last_processed_at = now(), missing_since = NULL, rev = l.rev + 1
    WHERE l.entity_id IS NULL OR l.entity_id = excluded.entity_id
RETURNING id
