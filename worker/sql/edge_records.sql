-- params: 15
-- Records that are edges (memberships): both ends linked -> the edge with the record's own keys as metadata, the link's entity id
-- is the edge's key; else it waits. $1 org, $2 adapter, $3 type, $4 ids, $5 $6 relation keys of the ends, $7 $8 their tags,
-- $9 first end is the source, $10 relationship type, $11 relationshipKey, $12 mode; where both sides changed the same: $13 keys,
-- $14 who wins (o ours, t theirs, a a person is asked, and ours stands), $15 rules.
-- Of an edge that is there only what theirs changed is written: the rest may have been edited here. What somebody here deleted
-- stays so, unless theirs names it anew. What theirs says now and a push of ours sent whose answer was lost is no change of theirs.
-- What a person is asked about and has not answered stays as it is.
-- Gives what both changed: id, the edge's key, field, who wins, rule, [ours, theirs].
WITH x AS MATERIALIZED (
    SELECT l.id, l.kind, l.external_id, l.state, l.entity_id, b.staged, b.seen, b.agreed, r.aref, r.pref, a.entity_id AS ea, a.state AS astate, p.entity_id AS ep,
        p.state AS pstate
    FROM unnest($4::text[]) AS i (ext)
    CROSS JOIN LATERAL (SELECT * FROM sync.external_link l WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3
        AND l.external_id = i.ext LIMIT 1) l
    CROSS JOIN LATERAL (SELECT * FROM sync.base b WHERE b.org_id = $1 AND b.link_id = l.id LIMIT 1) b
    CROSS JOIN LATERAL (SELECT b.staged -> '_rel' ->> $5 AS aref, b.staged -> '_rel' ->> $6 AS pref) r
    LEFT JOIN LATERAL (SELECT t.entity_id, t.state FROM sync.external_link t WHERE t.org_id = $1 AND t.adapter = $2
        AND t.external_type = split_part(r.aref, '/', 1) AND t.external_id = split_part(r.aref, '/', 2) LIMIT 1) a ON true
    LEFT JOIN LATERAL (SELECT t.entity_id, t.state FROM sync.external_link t WHERE t.org_id = $1 AND t.adapter = $2
        AND t.external_type = split_part(r.pref, '/', 1) AND t.external_id = split_part(r.pref, '/', 2) LIMIT 1) p ON true
    WHERE l.state IN ('unmatched', 'linked') AND b.staged IS NOT NULL
), ok AS MATERIALIZED (
    SELECT y.*, y.seen IS NULL OR y.seen ? '_gone' OR y.state <> 'linked'
        OR y.entity_id IS DISTINCT FROM y.src || '|' || y.tgt || '|' || $10 AS fresh
    FROM (SELECT x.*, CASE WHEN $9 THEN ea ELSE ep END AS src, CASE WHEN $9 THEN ep ELSE ea END AS tgt
        FROM x WHERE astate = 'linked' AND pstate = 'linked') y
), g AS MATERIALIZED ( -- held, so that what is decided by it stays true
    SELECT o.src, o.tgt, g.* FROM (SELECT DISTINCT src, tgt FROM ok ORDER BY src, tgt) o
    CROSS JOIN LATERAL (SELECT "deletedAt" IS NOT NULL AND coalesce("deletedBy", '') NOT LIKE 'sync:%' AS dropped, metadata
        FROM public.openfaith_edges WHERE "orgId" = $1 AND "sourceEntityId" = o.src AND "targetEntityId" = o.tgt
        AND "relationshipType" = $10 LIMIT 1 FOR NO KEY UPDATE) g
), twice AS MATERIALIZED (
    SELECT ok.id, ok.external_id, ok.src || '|' || ok.tgt || '|' || $10 AS eid, k.key, g.metadata -> k.key AS ours,
        ok.staged -> k.key AS theirs, CASE WHEN s.lost THEN ok.staged -> k.key ELSE coalesce(ok.agreed -> k.key, ok.seen -> k.key) END AS stood,
        CASE WHEN s.lost THEN 'o' ELSE k.side END AS side, CASE WHEN s.lost THEN 'sent, its answer was lost' ELSE k.rule END AS rule
    FROM ok JOIN g ON g.src = ok.src AND g.tgt = ok.tgt CROSS JOIN unnest($13::text[], $14::text[], $15::text[]) AS k (key, side, rule)
    CROSS JOIN LATERAL (SELECT coalesce(ok.agreed -> '_sent' -> k.key = ok.staged -> k.key, false) AS lost) s
    WHERE NOT ok.fresh AND NOT g.dropped AND ok.staged ? k.key AND ok.staged -> k.key IS DISTINCT FROM ok.seen -> k.key
        AND coalesce(g.metadata -> k.key, 'null') <> ok.staged -> k.key
        AND (s.lost OR (coalesce(g.metadata -> k.key, 'null') <> coalesce(ok.agreed -> k.key, ok.seen -> k.key, 'null')
            AND coalesce(g.metadata -> k.key, 'null') <> coalesce(ok.seen -> k.key, 'null'))
            OR (k.side = 'a' AND EXISTS (SELECT FROM sync.review r WHERE r.org_id = $1 AND r.adapter = $2 AND r.external_type = $3
                AND r.external_id = ok.external_id AND r.kind = 'conflict' AND r.state = 'open' AND r.field = k.key)))
), own AS MATERIALIZED ( -- as own_writes.sql; in the log before the edges are
    SELECT pg_logical_emit_message(true, 'openfaith-sync', $2 || E'\n' || string_agg(ok.src || '|' || ok.tgt || '|' || $10, E'\n'))
    FROM ok HAVING count(*) > 0
), e AS (
    INSERT INTO public.openfaith_edges AS e ("orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId",
        "targetEntityTypeTag", "relationshipType", metadata, "createdAt", "createdBy")
    SELECT DISTINCT ON (ok.src, ok.tgt) $1, ok.src, CASE WHEN $9 THEN $7 ELSE $8 END, ok.tgt, CASE WHEN $9 THEN $8 ELSE $7 END, $10,
        CASE WHEN ok.fresh OR g.src IS NULL
            THEN jsonb_build_object('relationshipKey', $11, 'source', $2 || '_direct') || (ok.staged - '_rel')
            ELSE coalesce((SELECT jsonb_object_agg(k.key, k.value) FROM jsonb_each(ok.staged - '_rel') k
                WHERE k.value IS DISTINCT FROM ok.seen -> k.key AND NOT EXISTS (SELECT FROM twice WHERE twice.id = ok.id
                    AND twice.key = k.key AND twice.side <> 't')), '{}') END, now(), 'sync:' || $2
    FROM ok LEFT JOIN g ON g.src = ok.src AND g.tgt = ok.tgt CROSS JOIN (SELECT count(*) FROM own) said
    WHERE ok.fresh OR NOT coalesce(g.dropped, false)
    ORDER BY ok.src, ok.tgt, length(ok.external_id) DESC, ok.external_id DESC
    ON CONFLICT ("orgId", "sourceEntityId", "targetEntityId", "relationshipType") DO UPDATE
        SET metadata = e.metadata || excluded.metadata, "deletedAt" = NULL, "deletedBy" = NULL, "updatedAt" = now(),
            "updatedBy" = excluded."createdBy"
        WHERE e."deletedAt" IS NOT NULL OR e.metadata IS DISTINCT FROM e.metadata || excluded.metadata
), done AS (
    INSERT INTO sync.external_link AS l (org_id, adapter, external_type, external_id, id, kind, entity_id)
    SELECT $1, $2, $3, ok.external_id, ok.id, ok.kind, ok.src || '|' || ok.tgt || '|' || $10 FROM ok
    ON CONFLICT (org_id, adapter, external_type, external_id) DO UPDATE SET state = 'linked', entity_type = 'edge',
        entity_id = excluded.entity_id, last_processed_at = now(), rev = l.rev + 1
    RETURNING l.id
), b AS (
    INSERT INTO sync.base AS b (org_id, link_id) SELECT $1, done.id FROM done
    ON CONFLICT (org_id, link_id) DO UPDATE SET seen = b.staged, staged = NULL, write_xid = pg_current_xact_id(),
        agreed = nullif(coalesce((SELECT jsonb_object_agg(k.key, k.value) FROM jsonb_each(b.agreed) k
            WHERE k.key <> '_sent' AND b.staged -> k.key IS NOT DISTINCT FROM b.seen -> k.key), '{}')
            || coalesce((SELECT jsonb_object_agg(twice.key, CASE twice.side WHEN 'a' THEN twice.ours ELSE twice.stood END) FROM twice
                WHERE twice.id = b.link_id AND twice.side <> 't'), '{}'), '{}')
        WHERE b.staged IS NOT NULL
), w AS (
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, state, reason, waits_for, due_at)
SELECT $1, $2, 'in', $3, x.external_id,
    CASE WHEN 'ambiguous' IN (coalesce(astate, ''), coalesce(pstate, ''))
        OR ($12 = 'o' AND 'unmatched' IN (coalesce(astate, ''), coalesce(pstate, ''))) THEN 'parked' ELSE 'waiting' END,
    'edge', CASE WHEN astate IS DISTINCT FROM 'linked' THEN aref ELSE pref END, now()
        + coalesce(current_setting('openfaith.waiting_recheck_ms', true)::int, 600000) * interval '1 millisecond'
FROM x WHERE (astate IS DISTINCT FROM 'linked' OR pstate IS DISTINCT FROM 'linked')
    AND coalesce(astate, '') NOT IN ('deleted', 'merged_into') AND coalesce(pstate, '') NOT IN ('deleted', 'merged_into')
    AND aref IS NOT NULL AND pref IS NOT NULL
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
    SET gen = w.gen + (w.waits_for IS DISTINCT FROM excluded.waits_for)::int, waits_for = excluded.waits_for
)
SELECT external_id, eid, key, side, rule, jsonb_build_array(ours, theirs) FROM twice
