-- params: 3
-- What is there of a type has been matched: unlinked entities may be made there. $1 org, $2 adapter, $3 type.
WITH s AS (
    UPDATE sync.status SET out_open = true WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND NOT out_open
)
UPDATE sync.work SET state = 'ready', due_at = now(), waits_for = NULL
WHERE org_id = $1 AND adapter = $2 AND direction = 'out' AND state = 'waiting' AND waits_for = 'open:' || $3
