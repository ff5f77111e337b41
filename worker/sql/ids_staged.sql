-- params: 5
-- The next linked records of a type, in id order (text), and whether something is staged for them. $1 org, $2 adapter, $3 type,
-- $4 after, $5 limit.
WITH l AS MATERIALIZED (
    SELECT id, external_id FROM sync.external_link
    WHERE org_id = $1 AND adapter = $2 AND external_type = $3 AND external_id > $4 AND state = 'linked'
    ORDER BY external_id LIMIT $5
)
SELECT l.external_id, b.link_id IS NOT NULL
FROM l LEFT JOIN (SELECT link_id FROM sync.base WHERE org_id = $1 AND link_id = ANY (ARRAY(SELECT id FROM l))
    AND staged IS NOT NULL) b ON b.link_id = l.id
ORDER BY l.external_id
