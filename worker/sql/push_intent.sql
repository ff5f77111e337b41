-- params: 7
-- What is about to be created, before the request leaves. $1 org, $2 adapter, $3 type, $4 id, $5 fence, $6 intent, $7 ms for which what
-- was created may be invisible. Gives the intent; no row: somebody else has it.
UPDATE sync.work SET intent = $6::jsonb || jsonb_build_object('sent_at', (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    'not_before', (extract(epoch FROM lease_until) * 1000)::bigint + $7)
WHERE org_id = $1 AND adapter = $2 AND direction = 'out' AND record_type = $3 AND record_id = $4 AND fence = $5 AND state = 'leased'
RETURNING intent
