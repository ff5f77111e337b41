-- params: 10
-- What was changed and why. $1 org, $2 adapter, $3 entity tag, $4 external type, $5 run; a row per change: $6 entity ids,
-- $7 external ids, $8 fields, $9 old and new as [old,new], $10 rules.
INSERT INTO sync.journal (org_id, adapter, entity_type, external_type, run_id, entity_id, external_id, field, old, new, rule)
SELECT $1, $2, $3, $4, $5, x.eid, x.ext, x.field, x.v -> 0, x.v -> 1, x.rule
FROM unnest($6::text[], $7::text[], $8::text[], $9::jsonb[], $10::text[]) AS x (eid, ext, field, v, rule)
