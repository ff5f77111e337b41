-- params: 7
-- Records that can never work as they are. $1 org, $2 adapter, $3 types, $4 ids, $5 places, $6 causes, $7 class.
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, state, place, error, error_class, attempts, reason)
SELECT DISTINCT ON (x.t, x.i) $1, $2, 'in', x.t, x.i, 'dead', x.p, x.c, $7, 1, 'bad record'
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) AS x (t, i, p, c)
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
    SET state = 'dead', due_at = now(), place = excluded.place, error = excluded.error, error_class = excluded.error_class,
        attempts = w.attempts + 1
