-- $1 org, $2 adapter
-- params: 2
DELETE FROM sync.schedule WHERE org_id = $1 AND adapter = $2;
