-- params: 5
-- A record was written there. $1 org, $2 adapter, $3 type, $4 external id, $5 number of the answer.
UPDATE sync.external_link SET push_seq = $5, last_processed_at = now(), missing_since = NULL
WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id = $4
