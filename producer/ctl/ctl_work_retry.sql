-- What waits for its time is due now. $1 org, $2 adapter, $3 type, $4 id (null: all)
-- params: 4
UPDATE sync.work SET due_at = now()
WHERE org_id = $1 AND ($2::text IS NULL OR adapter = $2) AND ($3::text IS NULL OR record_type = $3)
  AND ($4::text IS NULL OR record_id = $4) AND state IN ('ready', 'waiting') AND due_at > now();
