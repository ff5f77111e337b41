-- params: 5
-- Does the record name another one that is gone there? $1 org, $2 adapter, $3 type, $4 id, $5 the one that it waited for (Type/id; "": any).
SELECT 1 FROM sync.external_link l JOIN sync.base b ON b.org_id = l.org_id AND b.link_id = l.id
CROSS JOIN LATERAL jsonb_each_text(b.seen -> '_rel') r (key, ref)
CROSS JOIN LATERAL (SELECT FROM sync.external_link o WHERE o.org_id = $1 AND o.adapter = $2
    AND o.external_type = split_part(r.ref, '/', 1) AND o.external_id = split_part(r.ref, '/', 2) AND o.state = 'deleted' LIMIT 1) o
WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = $4 AND l.state = 'linked'
    AND ($5 = '' OR r.ref = $5) LIMIT 1
