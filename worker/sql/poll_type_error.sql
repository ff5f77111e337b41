-- params: 5
-- A type that cannot be polled: `sync` and the reconciliation try it again ($5); or only its mergers: the type goes on. $1 org,
-- $2 adapter, $3 type, $4 words.
UPDATE sync.status SET state = CASE WHEN $5 THEN 'error' ELSE state END, error = $4, updated_at = now()
WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND state = 'active'
    AND ($5 OR (error IS DISTINCT FROM $4 AND (error IS NULL OR error LIKE 'mergers cannot be read%')))
