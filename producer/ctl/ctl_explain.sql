-- What was decided about a record, newest last. $1 org, $2 entity, $3 field (null: all)
-- -> at (us), adapter, external type, external id, field, old, new, rule, run
-- params: 3
SELECT (extract(epoch FROM j.at) * 1000000)::bigint, j.adapter, j.external_type, j.external_id, j.field, j.old, j.new, j.rule, j.run_id
FROM sync.journal j
WHERE j.org_id = $1 AND j.entity_id = $2 AND ($3::text IS NULL OR j.field = $3 OR j.field IS NULL)
ORDER BY j.at, j.adapter, j.field, j.ctid;
