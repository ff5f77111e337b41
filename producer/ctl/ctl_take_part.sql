-- A person has decided a conflict about a relation, or about a record that has no entity of its own (a value, an edge): as ctl_take.sql,
-- at a path of the body. $1 org, $2 link, $3 group ("_rel", "_many"; null: the field is a member of the body), $4 field,
-- $5 what ours says, $6 theirs
-- params: 6
WITH b AS (
    SELECT b.seen, coalesce(b.agreed, '{}') AS agreed, coalesce(b.seen -> $3::text, '{}') AS seen_group,
        coalesce(b.agreed -> $3::text, '{}') - $4::text AS agreed_group
    FROM sync.base b WHERE b.org_id = $1 AND b.link_id = $2
)
UPDATE sync.base u
SET seen = CASE WHEN NOT $6::boolean THEN b.seen
                WHEN $3::text IS NULL THEN b.seen || jsonb_build_object($4::text, $5::jsonb)
                ELSE b.seen || jsonb_build_object($3::text, b.seen_group || jsonb_build_object($4::text, $5::jsonb)) END,
    agreed = nullif(CASE WHEN $3::text IS NULL THEN b.agreed - $4::text
                         WHEN b.agreed_group = '{}' THEN b.agreed - $3::text
                         ELSE b.agreed || jsonb_build_object($3::text, b.agreed_group) END, '{}')
FROM b WHERE u.org_id = $1 AND u.link_id = $2;
