-- params: 4
-- A record was written there: the number of the answer. $1 org, $2 adapter, $3 type, $4 external id.
UPDATE sync.external_link SET push_seq = nextval('sync.read_seq'), last_processed_at = now(), missing_since = NULL
WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id = $4
