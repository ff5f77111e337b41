-- A page of rows sealed with another key. $1 current key id, $2 after org, $3 after adapter, $4 how many
-- -> org, adapter, key id, sealed, previous key id, previous sealed (base64)
-- params: 4
SELECT org_id, adapter, key_id, replace(encode(sealed, 'base64'), chr(10), ''),
       prev_key_id, replace(encode(prev_sealed, 'base64'), chr(10), '')
FROM sync.token
WHERE (org_id, adapter) > ($2, $3) AND (key_id <> $1 OR prev_key_id <> $1)
ORDER BY org_id, adapter
LIMIT $4;
