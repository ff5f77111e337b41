-- params: 4
-- Records that are gone there and alive here: they may be made there anew. $1 org, $2 adapter, $3 type, $4 ids.
UPDATE sync.external_link SET link_metadata = link_metadata || '{"deletedHere": true}'
WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id = ANY ($4::text[]) AND state = 'deleted'
