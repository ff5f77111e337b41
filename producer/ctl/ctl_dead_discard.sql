-- Dead letters are given up, each only if it is still the one that was looked at. $1 orgs, $2 adapters, $3 directions, $4 types,
-- $5 ids, $6 generations, $7 who and why. Affects those that were discarded. What was begun there without a known answer stays: it may
-- have been made there, and only its intent says so; forgotten, it would be made a second time. What is parked behind one of them looks again, and goes without it
-- or is over.
-- params: 7
WITH k AS MATERIALIZED (
    SELECT w.* FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int8[]) AS i (org, adapter, direction, type, id, gen)
    CROSS JOIN LATERAL (SELECT * FROM sync.work w WHERE w.org_id = i.org AND w.adapter = i.adapter AND w.direction = i.direction
        AND w.record_type = i.type AND w.record_id = i.id AND w.gen = i.gen AND w.state = 'dead'
        AND (w.direction <> 'out' OR w.intent IS NULL) LIMIT 1 FOR UPDATE) w
), d AS (
    DELETE FROM sync.work w USING k WHERE w.org_id = k.org_id AND w.adapter = k.adapter AND w.direction = k.direction
        AND w.record_type = k.record_type AND w.record_id = k.record_id AND w.state = 'dead' AND w.gen = k.gen
    RETURNING w.*
), n AS (
    UPDATE sync.work w SET state = 'ready', due_at = now(), waits_for = NULL, gen = w.gen + 1 FROM d
    WHERE d.direction = 'out' AND w.org_id = d.org_id AND w.adapter = d.adapter AND w.direction = 'out'
        AND w.waits_for = 'out:' || d.record_type || '/' || d.record_id AND w.state IN ('waiting', 'parked')
)
INSERT INTO sync.journal (org_id, adapter, entity_type, entity_id, external_type, external_id, rule, new)
SELECT d.org_id, d.adapter, CASE WHEN d.direction = 'out' THEN d.record_type END, CASE WHEN d.direction = 'out' THEN d.record_id END,
    CASE WHEN d.direction <> 'out' THEN d.record_type END, CASE WHEN d.direction <> 'out' THEN d.record_id END,
    'dead letter discarded', $7::jsonb || jsonb_build_object('cause', sync.cause_of(d.error_class, coalesce(d.error, d.reason)),
        'words', coalesce(d.error, d.reason)) FROM d;
