-- params: 2
-- The run of a connection that may end: all types are populated. $1 org, $2 adapter.
SELECT id FROM sync.run WHERE org_id = $1 AND adapter = $2 AND state = 'running' AND barrier
