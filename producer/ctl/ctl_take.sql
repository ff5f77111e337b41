-- A person has decided a conflict. Theirs: what was seen becomes what ours says, so that the next read counts as their change alone.
-- Ours: what was agreed becomes what was seen, so that ours counts as changed and goes out. Neither: nothing here.
-- $1 org, $2 link, $3 adapter, $4 field, $5 it is a column, $6 what ours says (a custom field: its elements), $7 theirs
-- params: 7
WITH b AS (
    SELECT b.seen, coalesce(b.agreed, '{}') AS agreed,
        coalesce((SELECT jsonb_agg(e) FROM jsonb_array_elements(b.seen -> 'customFields') e
            WHERE e ->> 'name' <> $4 OR e ->> 'source' <> $3), '[]') AS seen_others,
        coalesce((SELECT jsonb_agg(e) FROM jsonb_array_elements(b.seen -> 'customFields') e
            WHERE e ->> 'name' = $4 AND e ->> 'source' = $3), '[]') AS seen_own,
        coalesce((SELECT jsonb_agg(e) FROM jsonb_array_elements(coalesce(b.agreed -> 'customFields', b.seen -> 'customFields')) e
            WHERE e ->> 'name' <> $4 OR e ->> 'source' <> $3), '[]') AS agreed_others
    FROM sync.base b WHERE b.org_id = $1 AND b.link_id = $2
)
UPDATE sync.base u
SET seen = CASE WHEN NOT $7::boolean THEN b.seen
                WHEN $5::boolean THEN b.seen || jsonb_build_object($4, $6::jsonb)
                ELSE b.seen || jsonb_build_object('customFields', b.seen_others || $6::jsonb) END,
    agreed = nullif(CASE WHEN $5 THEN b.agreed - $4
                         WHEN $7 THEN b.agreed || jsonb_build_object('customFields', b.agreed_others || $6)
                         ELSE b.agreed || jsonb_build_object('customFields', b.agreed_others || b.seen_own) END, '{}')
FROM b WHERE u.org_id = $1 AND u.link_id = $2;
