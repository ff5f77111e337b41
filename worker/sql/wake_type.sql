-- params: 4
-- All records of a type are there now: what waited for one of them is looked at again. $1 org, $2 adapter, $3 type, $4 entity tag.
UPDATE sync.work SET state = 'ready', due_at = now(), waits_for = NULL
WHERE org_id = $1 AND adapter = $2 AND split_part(waits_for, '/', 1) IN ($3, 'out:' || $4) AND state = 'waiting'
