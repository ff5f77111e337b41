-- params: 4
-- The entity of a linked record. $1 org, $2 adapter, $3 type, $4 external id.
SELECT entity_id FROM sync.external_link WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id = $4
    AND state = 'linked'
