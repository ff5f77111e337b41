-- $1 org, $2 adapter -> version, is oauth, key id, sealed, previous key id, previous sealed (base64), expires (us or null)
-- params: 2
SELECT version, kind = 'oauth', key_id, replace(encode(sealed, 'base64'), chr(10), ''),
       prev_key_id, replace(encode(prev_sealed, 'base64'), chr(10), ''),
       (extract(epoch FROM expires_at) * 1000000)::bigint
FROM sync.token
WHERE org_id = $1 AND adapter = $2;
