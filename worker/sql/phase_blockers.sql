-- params: 3
-- Types that this one still waits for. $1 run, $2 types, $3 steps that block. Run's row locked before.
SELECT external_type FROM sync.phase WHERE run_id = $1 AND external_type = ANY ($2) AND step = ANY ($3) ORDER BY ordinal
