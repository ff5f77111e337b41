-- params: 4
-- $1 org, $2 adapter, $3 type, $4 id. Gives the link's state.
SELECT state FROM sync.external_link WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id = $4
