-- params: 7
-- What an update is about to send: should its answer be lost together with the worker, whoever takes the row next knows what theirs may
-- say by then (push_unclear.sql). Written before the request leaves, without waiting for the disk: Postgres and the worker would have
-- to die within the same second for it to be lost. $1 org, $2 adapter, $3 type, $4 id, $5 fence, $6 the link, $7 fields sent.
-- Affects 1 row; 0: somebody else has it.
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
UPDATE sync.work SET sending = jsonb_build_object('link', $6::bigint, 'update', $7::jsonb) FROM quick
WHERE org_id = $1 AND adapter = $2 AND direction = 'out' AND record_type = $3 AND record_id = $4 AND fence = $5 AND state = 'leased'
