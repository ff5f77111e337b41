-- params: 3
-- Something was linked: what waited for it is ready. $1 org, $2 adapter, $3 records (Type/id).
UPDATE sync.work SET state = 'ready', due_at = now(), waits_for = NULL
WHERE org_id = $1 AND adapter = $2 AND (waits_for = ANY ($3) OR waits_for = ANY (ARRAY(
    SELECT 'out:' || l.entity_type || '/' || l.entity_id FROM unnest($3::text[]) AS r (ref) CROSS JOIN LATERAL (
        SELECT l.entity_type, l.entity_id, l.state, l.kind FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2
            AND l.external_type = split_part(r.ref, '/', 1) AND l.external_id = substr(r.ref, strpos(r.ref, '/') + 1) LIMIT 1) l
    WHERE l.kind = 'entity' AND l.state = 'linked')))
    AND state IN ('waiting', 'parked')
