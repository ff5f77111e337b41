-- $1 org, $2 adapter, $3 version, $4 owner
-- params: 4
UPDATE sync.token SET lease_owner = NULL, lease_until = NULL
WHERE org_id = $1 AND adapter = $2 AND version = $3 AND lease_owner = $4;
