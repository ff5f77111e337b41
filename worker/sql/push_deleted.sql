-- params: 5
-- It was deleted there because it was deleted here: should it come back here, it is made anew. $1 org, $2 adapter, $3 type, $4 external
-- id, $5 number of the answer.
UPDATE sync.external_link SET push_seq = $5, last_processed_at = now(),
    link_metadata = link_metadata || '{"deletedHere": true}'
WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id = $4 AND state = 'deleted'
