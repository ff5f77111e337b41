-- params: 3
-- Something was linked (or is known to be gone): what waited for it is ready; what is only known there wakes nobody. Records of theirs
-- keep what they waited for: whoever asks for them to be read meanwhile must not make it forgotten. $1 org, $2 adapter, $3 records (Type/id).
WITH r AS MATERIALIZED (
    SELECT r.ref, l.* FROM unnest($3::text[]) AS r (ref) CROSS JOIN LATERAL (
        SELECT l.entity_type, l.entity_id, l.state, l.kind FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2
            AND l.external_type = split_part(r.ref, '/', 1) AND l.external_id = substr(r.ref, strpos(r.ref, '/') + 1) LIMIT 1) l
    WHERE l.state NOT IN ('unmatched', 'ambiguous')
)
UPDATE sync.work SET state = 'ready', due_at = now(), waits_for = CASE WHEN direction = 'in' THEN waits_for END
WHERE org_id = $1 AND adapter = $2 AND waits_for = ANY (ARRAY(
    SELECT r.ref FROM r UNION ALL
    SELECT 'out:' || r.entity_type || '/' || r.entity_id FROM r WHERE r.kind = 'entity' AND r.state = 'linked'))
    AND state IN ('waiting', 'parked')
