-- params: 4
-- Records that live below these. $1 org, $2 adapter, $3 their type, $4 parents (Type/id).
SELECT l.external_id FROM sync.external_link l
WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.kind = 'edge' AND l.link_metadata ->> 'parent' = ANY ($4::text[])
    AND l.state NOT IN ('deleted', 'merged_into', 'unlinked')
