-- params: 16
-- Listed records: link and base.staged. $1 org, $2 adapter, $3 type, $4 kind, $5 ids, $6 created, $7 updated, $8 bodies,
-- $9 match keys, $10 link metadata, $11 read number, $12 run, $13 mark for seen_run (null: leave),
-- $14 $15 row of the way out (type, id) whose answer this is (null: none), $16 a cursor passes them:
-- what is not taken (an older read) is owed a read of its own.
-- An older read never overwrites a newer one; what is equal to what is known is not written. What was read before our own push was
-- answered, or while it is under way, says nothing: it is looked at again.
WITH x AS (
    SELECT * FROM unnest($5::text[], $6::timestamptz[], $7::timestamptz[], $8::jsonb[], $9::text[], $10::jsonb[])
        AS x (ext, created, updated, body, keys, meta)
), pushed AS MATERIALIZED (
    SELECT w.record_type, w.record_id FROM sync.work w
    WHERE w.org_id = $1 AND w.adapter = $2 AND w.direction = 'out' AND w.state = 'leased'
        AND (w.record_type, w.record_id) IS DISTINCT FROM ($14::text, $15::text)
), held AS MATERIALIZED (
    SELECT x.ext FROM x
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = x.ext LIMIT 1) l
    WHERE l.state NOT IN ('merged_into', 'unlinked') AND (l.push_seq >= $11 OR EXISTS (SELECT FROM pushed p
        WHERE p.record_type = CASE l.kind WHEN 'entity' THEN l.entity_type ELSE $3 END
            AND (p.record_id = l.entity_id OR (l.kind = 'value' AND starts_with(p.record_id, l.entity_id || '|')
                -- the answer to a push of one value says nothing of another field's
                AND ($14::text IS DISTINCT FROM $3 OR split_part(p.record_id, '|', 2) = split_part($15::text, '|', 2))))))
), h AS (
    INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason, due_at)
    SELECT $1, $2, 'in', $3, held.ext, 'pushed', now() + interval '1 second' FROM held
    ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
        SET gen = w.gen + 1, state = CASE WHEN w.state = 'leased' THEN w.state ELSE 'ready' END,
            reason = CASE WHEN w.state IN ('ready', 'leased') AND w.reason NOT IN ('edge', 'value') THEN w.reason ELSE excluded.reason END,
            due_at = CASE WHEN w.state = 'ready' THEN w.due_at ELSE excluded.due_at END,
            attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
), l AS (
    INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, kind, link_metadata,
        external_created_at, external_updated_at, read_seq, run_id, seen_run)
    SELECT $1, $2, $3, x.ext, $4, x.meta, x.created, x.updated, $11, $12, $13 FROM x
    WHERE NOT EXISTS (SELECT FROM held WHERE held.ext = x.ext)
    ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE
        SET external_created_at = excluded.external_created_at, external_updated_at = excluded.external_updated_at,
            read_seq = excluded.read_seq, link_metadata = excluded.link_metadata, missing_since = NULL,
            seen_run = coalesce(excluded.seen_run, l.seen_run),
            run_id = coalesce(l.run_id, excluded.run_id),
            state = CASE WHEN l.state <> 'deleted' THEN l.state WHEN l.entity_id IS NULL THEN 'unmatched' ELSE 'linked' END
        WHERE excluded.read_seq > l.push_seq AND l.state NOT IN ('merged_into', 'unlinked')
            AND (coalesce(excluded.external_updated_at, '-infinity'), excluded.read_seq)
                >= (coalesce(l.external_updated_at, '-infinity'), l.read_seq)
    RETURNING l.id, l.external_id
), refused AS (
    INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason)
    SELECT $1, $2, 'in', $3, x.ext, 'older read' FROM x
    CROSS JOIN LATERAL (SELECT k.state FROM sync.external_link k WHERE k.org_id = $1 AND k.adapter = $2 AND k.external_type = $3
        AND k.external_id = x.ext LIMIT 1) k
    WHERE $16 AND k.state NOT IN ('merged_into', 'unlinked') AND NOT EXISTS (SELECT FROM l WHERE l.external_id = x.ext)
        AND NOT EXISTS (SELECT FROM held WHERE held.ext = x.ext)
    ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET gen = w.gen + 1,
        state = CASE WHEN w.state IN ('ready', 'leased') THEN w.state ELSE 'ready' END,
        due_at = CASE WHEN w.state IN ('ready', 'leased') THEN w.due_at ELSE now() END,
        attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
)
INSERT INTO sync.base AS b (org_id, link_id, staged, match_keys)
SELECT $1, l.id, x.body, string_to_array(x.keys, E'\x1f') FROM l JOIN x ON x.ext = l.external_id
ON CONFLICT (org_id, link_id) DO UPDATE
    SET staged = CASE WHEN b.seen = excluded.staged THEN NULL ELSE excluded.staged END, match_keys = excluded.match_keys
    WHERE b.staged IS DISTINCT FROM CASE WHEN b.seen = excluded.staged THEN NULL ELSE excluded.staged END
