-- $1 org, $2 adapter, $3 version
-- params: 3
UPDATE sync.token SET prev_key_id = NULL, prev_sealed = NULL
WHERE org_id = $1 AND adapter = $2 AND version = $3 AND prev_sealed IS NOT NULL;
