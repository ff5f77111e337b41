-- params: 6
-- Does a record's list name another, as it was last read? $1 org, $2 adapter, $3 type, $4 id, $5 relation, $6 the other (Type/id).
SELECT 1 FROM sync.external_link l
CROSS JOIN LATERAL (SELECT b.seen FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id LIMIT 1) b
WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = $4 AND b.seen -> '_many' -> $5 ? $6
