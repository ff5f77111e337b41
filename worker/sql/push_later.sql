-- params: 12
-- Not now. $1 org, $2 adapter, $3 type, $4 id, $5 fence, $6 state, $7 ms from now, $8 attempts, $9 error, $10 class, $11 waits for,
-- $12 keep the intent and what was being sent. What was hinted meanwhile is looked at again, where it would wait else.
UPDATE sync.work SET state = CASE WHEN gen <> taken_gen THEN 'ready' ELSE $6 END,
    due_at = CASE WHEN gen <> taken_gen AND $6 <> 'ready' THEN now() ELSE now() + $7 * interval '1 millisecond' END, attempts = $8,
    error = $9, error_class = $10, waits_for = $11, intent = CASE WHEN $12 THEN intent END,
    sending = CASE WHEN $12 THEN sending END, lease_until = NULL
WHERE org_id = $1 AND adapter = $2 AND direction = 'out' AND record_type = $3 AND record_id = $4 AND fence = $5 AND state = 'leased'
