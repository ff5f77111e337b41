-- params: 6
-- A message that cannot be understood. $1 org (its key; "" if that is none), $2 topic, $3 partition/offset, $4 error, $5 class,
-- $6 place.
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, state, reason, error, error_class, place, attempts)
VALUES ($1, '', 'msg', $2, $3, 'dead', 'not understood', $4, $5, $6, 1)
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
    SET state = 'dead', due_at = now(), error = excluded.error, error_class = excluded.error_class, place = excluded.place
