-- The same secrets under another key; the version stays, so that a refresh in flight is not fenced by it: token_store takes
-- whatever is current as prev. $1 org, $2 adapter, $3 sealed as read, $4 key id, $5 sealed, $6 previous key id, $7 previous sealed
-- params: 7
UPDATE sync.token SET key_id = $4, sealed = $5, prev_key_id = $6, prev_sealed = $7
WHERE org_id = $1 AND adapter = $2 AND sealed = $3;
