-- params: 3
-- How many records of a push are not worked off yet; those that wait for people do not count. $1 org, $2 adapter, $3 record type.
SELECT count(*) FROM sync.work
WHERE org_id = $1 AND adapter = $2 AND direction = 'out' AND record_type = $3 AND reason = 'push'
    AND state IN ('ready', 'leased', 'waiting')
