-- $1 org, $2 adapter, $3 type, $4 external id, $5 state
-- params: 5
UPDATE sync.external_link SET state = $5, rev = rev + 1 WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id = $4;
