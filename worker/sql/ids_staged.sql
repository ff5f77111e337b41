-- params: 5
-- The next linked records of a type, in id order (text), and whether something is staged for them. $1 org, $2 adapter, $3 type,
-- $4 after, $5 limit.
WITH l AS MATERIALIZED (
    SELECT id, external_id FROM sync.external_link
    WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id > $4 AND state = 'linked'
    ORDER BY external_id LIMIT $5
)
SELECT l.external_id, b.is_staged
FROM l CROSS JOIN LATERAL (SELECT b.staged IS NOT NULL AS is_staged FROM sync.base b
    WHERE b.org_id = $1 AND b.link_id = l.id LIMIT 1) b
ORDER BY l.external_id
