-- $1 review, $2 state, $3 who
-- params: 3
UPDATE sync.review SET state = $2, decided_at = now(), decided_by = $3 WHERE id = $1;
