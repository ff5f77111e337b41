-- params: 3
-- Messages of phases that were taken out of a lane that is too long: the scheduler emits them again. $1 runs, $2 types,
-- $3 ms until then.
UPDATE sync.phase p
SET emitted_seq = least(p.emitted_seq, p.seq - 1), due_at = greatest(p.due_at, now() + $3 * interval '1 millisecond')
FROM unnest($1::bigint[], $2::text[]) AS f (run_id, external_type)
WHERE p.run_id = f.run_id AND p.external_type = f.external_type AND p.step NOT IN ('done', 'error')
