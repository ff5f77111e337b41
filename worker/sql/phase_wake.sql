-- params: 2
-- Wakes sleeping phases of a run. $1 run, $2 types (null: all). Affects the woken.
UPDATE sync.phase SET due_at = now(), emitted_seq = least(emitted_seq, seq - 1)
WHERE run_id = $1 AND ($2::text[] IS NULL OR external_type = ANY ($2)) AND due_at = 'infinity' AND step NOT IN ('done', 'error')
