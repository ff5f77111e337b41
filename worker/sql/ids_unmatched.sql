-- params: 5
-- The next ids of a type that have no entity, in id order (text). $1 org, $2 adapter, $3 type, $4 after, $5 limit.
SELECT external_id, true FROM sync.external_link
WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id > $4 AND state = 'unmatched'
ORDER BY external_id LIMIT $5
