-- params: 5
-- The next ids of a type that are linked and have something staged. $1 org, $2 adapter, $3 type, $4 after, $5 limit.
SELECT l.external_id FROM sync.external_link l JOIN sync.base b ON b.org_id = l.org_id AND b.link_id = l.id
WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id > $4 AND l.state = 'linked'
    AND b.staged IS NOT NULL
ORDER BY l.external_id LIMIT $5
