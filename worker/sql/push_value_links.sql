-- params: 6
-- A person's value records of one field. $1 org, $2 adapter, $3 external type, $4 person, $5 key of the relation to the definition,
-- $6 the definition (Type/id). Gives link id, external id, seen, agreed, value agreed on.
SELECT l.id, l.external_id, b.seen, b.agreed, CASE WHEN b.agreed ? 'value' THEN b.agreed ->> 'value' ELSE b.seen ->> 'value' END,
    b.seen ->> 'value'
FROM (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.entity_id = $4
    AND l.kind IN ('edge', 'value') OFFSET 0) l
CROSS JOIN LATERAL (SELECT * FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id LIMIT 1) b
WHERE l.kind = 'value' AND l.external_type = $3 AND l.state = 'linked'
    AND b.seen -> '_rel' ->> $5 = $6
ORDER BY length(l.external_id), l.external_id
