-- params: 7
-- A first 404: the record is looked at once more. $1 org, $2 adapter, $3 type, $4 id, $5 fence, $6 ms until then, $7 words.
WITH l AS (
    UPDATE sync.external_link SET missing_since = now()
    WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id = $4
)
UPDATE sync.work SET state = CASE WHEN gen <> taken_gen THEN 'ready' ELSE 'waiting' END, reason = 'second look',
    due_at = now() + CASE WHEN gen <> taken_gen THEN 0 ELSE $6 END * interval '1 millisecond', error = $7, lease_until = NULL
WHERE org_id = $1 AND adapter = $2 AND direction = 'in' AND record_type = $3 AND record_id = $4 AND fence = $5 AND state = 'leased'
