-- params: 3
-- Every writing transaction begins with it: the connection is still of this generation and connected. $1 org, $2 adapter,
-- $3 generation. Locks the row FOR KEY SHARE. No row: drop the result.
SELECT state FROM sync.connection WHERE org_id = $1 AND adapter = $2 AND generation = $3 AND state = 'connected' FOR KEY SHARE
