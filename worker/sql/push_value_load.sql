-- params: 5
-- A person and a field of hers. $1 org, $2 adapter, $3 external type of values, $4 person, $5 field's key. Always a row: customFields,
-- alive, the field's type, out_open, the field's id.
SELECT p."customFields", p.id IS NOT NULL AND p."deletedAt" IS NULL, f.type, coalesce(s.out_open, false), f.id
FROM (SELECT 1) one
LEFT JOIN LATERAL (SELECT * FROM public.openfaith_people p WHERE p.id = $4 AND p."orgId" = $1 LIMIT 1) p ON true
LEFT JOIN LATERAL (SELECT f.id, f.type FROM public.openfaith_fields f WHERE f."orgId" = $1 AND f.key = $5 AND f.source = $2
    AND f."deletedAt" IS NULL ORDER BY f.id LIMIT 1) f ON true
LEFT JOIN LATERAL (SELECT s.out_open FROM sync.status s WHERE s.org_id = $1 AND s.adapter = $2 AND s.external_type = $3 LIMIT 1) s
    ON true
