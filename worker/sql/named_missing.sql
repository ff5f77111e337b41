-- params: 3
-- A row if one of the records is not there any more, or under suspicion. $1 org, $2 adapter, $3 records (Type/id).
SELECT 1 FROM unnest($3::text[]) AS r (ref)
CROSS JOIN LATERAL (SELECT l.state, l.missing_since FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2
    AND l.external_type = split_part(r.ref, '/', 1) AND l.external_id = substr(r.ref, strpos(r.ref, '/') + 1) LIMIT 1) l
WHERE l.state <> 'linked' OR l.missing_since IS NOT NULL LIMIT 1
