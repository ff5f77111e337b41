-- Another org whose connection counts its requests under the same name. $1 adapter, $2 budget key, $3 org -> org
-- params: 3
SELECT org_id FROM sync.connection
WHERE adapter = $1 AND budget_key = $2 AND state <> 'disconnected' AND org_id <> $3
LIMIT 1;
