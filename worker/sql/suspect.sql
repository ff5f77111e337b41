-- params: 4
-- A first 404. $1 org, $2 adapter, $3 type, $4 id.
UPDATE sync.external_link SET missing_since = coalesce(missing_since, now())
WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id = $4
