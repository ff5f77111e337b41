-- params: 1
-- Serialises what looks at several phases of a run. $1 run. Locks the run's row FOR NO KEY UPDATE.
SELECT state, barrier FROM sync.run WHERE id = $1 FOR NO KEY UPDATE
