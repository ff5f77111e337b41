-- params: 3
-- Is the entity linked in this adapter? $1 org, $2 adapter, $3 entity id.
SELECT 1 FROM sync.external_link
WHERE entity_id = $3 AND org_id = $1 AND adapter = $2 AND kind = 'entity' AND state = 'linked' LIMIT 1
