-- params: 4
-- Candidates for unmatched people among OpenFaith's people that this adapter does not hold yet. $1 org, $2 adapter,
-- $3 external type, $4 ids. Gives id, candidate, same name, e-mail, phone, birth date (same, contradicts), first names agree.
WITH x AS MATERIALIZED (
    SELECT l.external_id AS ext, b.match_keys AS keys, b.staged ->> 'birthdate' AS birthdate,
        lower(coalesce(b.staged ->> 'firstName', '')) AS first
    FROM unnest($4::text[]) AS i (ext)
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
    CROSS JOIN LATERAL (SELECT * FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id LIMIT 1) b
    WHERE l.state = 'unmatched'
), xk AS (
    SELECT x.ext, lower(k) AS k FROM x, unnest(x.keys) k WHERE k NOT LIKE 'b:%'
), p AS MATERIALIZED (
    SELECT e.id, e.birthdate, lower(coalesce(e."firstName", '')) AS first,
        lower(regexp_replace(btrim(coalesce(e."firstName", '') || ' ' || coalesce(e."lastName", '')), '\s+', ' ', 'g')) AS full_name,
        lower(regexp_replace(btrim(coalesce(e.name, '')), '\s+', ' ', 'g')) AS name
    FROM public.openfaith_people e
    WHERE e."orgId" = $1 AND e."deletedAt" IS NULL AND NOT EXISTS (
        SELECT FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
            AND l.entity_id = e.id AND l.kind = 'entity' AND l.state = 'linked')
), pk AS (
    SELECT id, 'n:' || full_name AS k FROM p WHERE full_name <> ''
    UNION SELECT id, 'n:' || name FROM p WHERE name <> ''
    UNION SELECT p.id, 'e:' || lower(btrim(m.address)) FROM p
        JOIN public.openfaith_edges g ON g."targetEntityId" = p.id AND g."orgId" = $1
            AND g."relationshipType" = 'email_has_person' AND g."deletedAt" IS NULL
        JOIN public.openfaith_emails m ON m.id = g."sourceEntityId" AND m."deletedAt" IS NULL AND btrim(m.address) <> ''
    UNION SELECT p.id, 'p:' || right(regexp_replace(n.number, '\D', '', 'g'), 10) FROM p
        JOIN public.openfaith_edges g ON g."sourceEntityId" = p.id AND g."orgId" = $1
            AND g."relationshipType" = 'person_has_phoneNumber' AND g."deletedAt" IS NULL
        JOIN public."openfaith_phoneNumbers" n ON n.id = g."targetEntityId" AND n."deletedAt" IS NULL AND n.number ~ '\d'
    /* one that another system has brought, and whose contacts are still on their way */
    UNION SELECT p.id, lower(k) FROM p
        CROSS JOIN LATERAL (SELECT l.id FROM sync.external_link l WHERE l.entity_id = p.id AND l.org_id = $1 AND l.adapter <> $2
            AND l.kind = 'entity' AND l.state = 'linked') l
        JOIN sync.base b ON b.org_id = $1 AND b.link_id = l.id, unnest(b.match_keys) k WHERE k NOT LIKE 'b:%'
), pair AS (
    SELECT xk.ext, pk.id, bool_or(k LIKE 'n:%') AS by_name, bool_or(k LIKE 'e:%') AS by_email, bool_or(k LIKE 'p:%') AS by_phone
    FROM xk JOIN pk USING (k) GROUP BY xk.ext, pk.id
)
SELECT pair.ext, pair.id, by_name, by_email, by_phone,
    coalesce(x.birthdate = p.birthdate, false), coalesce(x.birthdate <> p.birthdate, false),
    x.first = p.first OR x.first = '' OR p.first = ''
FROM pair JOIN x ON x.ext = pair.ext JOIN p ON p.id = pair.id
-- a person has said that they are not the same
WHERE NOT EXISTS (SELECT FROM sync.review r JOIN sync.review_candidate c ON c.review_id = r.id AND c.entity_id = pair.id
    WHERE r.org_id = $1 AND r.adapter = $2 AND r.external_type = $3 AND r.external_id = pair.ext AND r.kind = 'match'
    AND r.state = 'rejected')
ORDER BY length(pair.ext), pair.ext, pair.id
