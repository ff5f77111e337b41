-- The lease of a refresh; not given twice to one owner either (two threads of it). $1 org, $2 adapter, $3 version, $4 owner, $5 lease in ms
-- params: 5
UPDATE sync.token
SET lease_owner = $4, lease_until = now() + $5 * interval '1 millisecond'
WHERE org_id = $1 AND adapter = $2 AND version = $3
  AND (lease_until IS NULL OR lease_until < now());
