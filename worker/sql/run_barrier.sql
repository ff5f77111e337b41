-- params: 2
-- Opens the last look when every type that is not late has been populated. $1 run, $2 late types. Run's row locked before.
UPDATE sync.run SET barrier = true WHERE id = $1 AND NOT barrier AND NOT EXISTS (
    SELECT FROM sync.phase WHERE run_id = $1 AND NOT external_type = ANY ($2) AND step IN ('stage', 'match', 'create', 'populate'))
