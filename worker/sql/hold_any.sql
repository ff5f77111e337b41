-- params: 3
-- Is a record of ours on its way there, of which nobody knows yet what became of it? $1 org, $2 adapter, $3 record type of the way
-- out. Gives since when (ms since 1970, by our clock).
SELECT min((w.intent ->> 'sent_at')::bigint) FROM sync.work w
WHERE w.org_id = $1 AND w.adapter = $2 AND w.direction = 'out' AND w.record_type = $3 AND w.intent IS NOT NULL
    AND w.state IN ('leased', 'ready', 'waiting')
HAVING count(*) > 0
