-- params: 0
-- The number of an answer, and of the read that it is at the same time.
WITH a AS MATERIALIZED (SELECT nextval('sync.read_seq') AS n) SELECT a.n, nextval('sync.read_seq') FROM a
