-- Whose the records are that $1 names, of which nothing but the id is left: ordinal in $1, org. A record that no system is
-- linked to has no row.
-- params: 1
SELECT u.ord, l.org_id
FROM unnest($1::text[]) WITH ORDINALITY AS u (id, ord)
CROSS JOIN LATERAL (
    SELECT x.org_id FROM sync.external_link x
    WHERE x.entity_id = u.id AND x.kind = 'entity' AND x.state = 'linked'
    LIMIT 1
) l
ORDER BY u.ord;
