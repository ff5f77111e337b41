-- params: 2
-- Their clock at the run's first answer. $1 run, $2 date.
UPDATE sync.run SET server_date = $2 WHERE id = $1 AND server_date IS NULL
