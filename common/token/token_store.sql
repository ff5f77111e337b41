-- $1 org, $2 adapter, $3 version, $4 owner, $5 kind, $6 key id, $7 sealed, $8 expires
-- params: 8
UPDATE sync.token
SET version = version + 1, kind = $5, prev_key_id = key_id, prev_sealed = sealed, key_id = $6, sealed = $7,
    expires_at = $8, lease_owner = NULL, lease_until = NULL, updated_at = now()
WHERE org_id = $1 AND adapter = $2 AND version = $3 AND lease_owner = $4;
