-- params: 2
-- Does anything of the connection wait for another record? $1 org, $2 adapter.
SELECT 1 FROM sync.work WHERE org_id = $1 AND adapter = $2 AND waits_for IS NOT NULL AND state IN ('waiting', 'parked') LIMIT 1
