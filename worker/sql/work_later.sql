-- params: 10
-- Not now. $1 org, $2 adapter, $3 type, $4 id, $5 fence, $6 state, $7 ms from now, $8 attempts, $9 error, $10 class.
-- Who hinted the record meanwhile wants it read: it does not come to rest then.
UPDATE sync.work SET state = CASE WHEN gen <> taken_gen THEN 'ready' ELSE $6 END,
    due_at = CASE WHEN gen <> taken_gen AND $6 <> 'ready' THEN now() ELSE now() + $7 * interval '1 millisecond' END,
    attempts = $8, error = coalesce($9, error), error_class = coalesce($10, error_class), lease_until = NULL
WHERE org_id = $1 AND adapter = $2 AND direction = 'in' AND record_type = $3 AND record_id = $4 AND fence = $5 AND state = 'leased'
