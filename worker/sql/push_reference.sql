-- params: 4
-- The record that a value refers to. $1 org, $2 adapter, $3 type, $4 value. Gives its external id.
SELECT l.external_id FROM sync.external_link l
CROSS JOIN LATERAL (SELECT b.seen FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id LIMIT 1) b
WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.state = 'linked' AND b.seen ->> 'value' = $4
ORDER BY length(l.external_id), l.external_id LIMIT 1
