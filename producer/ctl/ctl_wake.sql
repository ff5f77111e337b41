-- What waited for a record or a decision goes on. $1 org, $2 adapter, $3 what it waited for, $4 forget what was begun
-- params: 4
UPDATE sync.work SET state = 'ready', due_at = now(), waits_for = NULL, gen = gen + 1, intent = CASE WHEN $4::boolean THEN NULL ELSE intent END
WHERE org_id = $1 AND adapter = $2 AND waits_for = $3 AND state IN ('waiting', 'parked');
