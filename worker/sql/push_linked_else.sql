-- params: 5
-- Is an entity linked to another record of the type than this one? $1 org, $2 adapter, $3 entity id, $4 type, $5 external id.
SELECT 1 FROM sync.external_link
WHERE entity_id = $3 AND org_id = $1 AND adapter = $2 AND external_type = $4 AND kind = 'entity' AND state = 'linked'
    AND external_id <> $5
