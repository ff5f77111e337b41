-- Values of people in dead letters were shown to somebody. A row per letter: $1 orgs, $2 adapters; $3 type, $4 id (null: several), $5 who
-- and why.
-- params: 5
INSERT INTO sync.journal (org_id, adapter, external_type, external_id, rule, new)
SELECT x.org, x.adapter, $3::text, $4::text, 'dead letters shown unmasked', $5::jsonb || jsonb_build_object('count', count(*))
FROM unnest($1::text[], $2::text[]) AS x (org, adapter) GROUP BY 1, 2;
