-- params: 4
-- A type that cannot be polled: `sync` and the reconciliation try it again. $1 org, $2 adapter, $3 type, $4 words.
UPDATE sync.status SET state = 'error', error = $4, updated_at = now()
WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND state = 'active'
