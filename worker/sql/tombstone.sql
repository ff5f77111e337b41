-- params: 5
-- A record that others refer to and that does not exist: nobody waits for it any more. $1 org, $2 adapter, $3 type, $4 id, $5 kind.
WITH l AS (
    INSERT INTO sync.external_link (org_id, adapter, external_type, external_id, kind, state, missing_since)
    VALUES ($1, $2, $3, $4, $5, 'deleted', now())
    ON CONFLICT (org_id, adapter, external_type, external_id) DO NOTHING
)
UPDATE sync.work SET state = 'ready', due_at = now() WHERE org_id = $1 AND adapter = $2 AND waits_for = $3 || '/' || $4
    AND state IN ('waiting', 'parked')
