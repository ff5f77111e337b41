-- params: 12
-- Records that are edges (memberships): both ends linked -> the edge with the record's own keys as metadata, the link's entity id
-- is the edge's key; else it waits. $1 org, $2 adapter, $3 type, $4 ids, $5 $6 relation keys of the ends, $7 $8 their tags,
-- $9 first end is the source, $10 relationship type, $11 relationshipKey, $12 mode.
WITH x AS (
    SELECT l.id, l.external_id, b.staged, a.entity_id AS ea, p.entity_id AS ep, a.state AS astate, p.state AS pstate,
        b.staged -> '_rel' ->> $5 AS aref, b.staged -> '_rel' ->> $6 AS pref, l.entity_id AS old_key
    FROM unnest($4::text[]) i (ext)
    JOIN sync.external_link l ON l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = i.ext
        AND l.state IN ('unmatched', 'linked')
    JOIN sync.base b ON b.org_id = $1 AND b.link_id = l.id AND b.staged IS NOT NULL
    LEFT JOIN sync.external_link a ON a.org_id = $1 AND a.adapter = $2 AND a.kind = 'entity'
        AND a.external_type = split_part(b.staged -> '_rel' ->> $5, '/', 1)
        AND a.external_id = split_part(b.staged -> '_rel' ->> $5, '/', 2)
    LEFT JOIN sync.external_link p ON p.org_id = $1 AND p.adapter = $2 AND p.kind = 'entity'
        AND p.external_type = split_part(b.staged -> '_rel' ->> $6, '/', 1)
        AND p.external_id = split_part(b.staged -> '_rel' ->> $6, '/', 2)
), ok AS (
    SELECT x.*, CASE WHEN $9 THEN ea ELSE ep END AS src, CASE WHEN $9 THEN ep ELSE ea END AS tgt
    FROM x WHERE astate = 'linked' AND pstate = 'linked'
), e AS (
    INSERT INTO public.openfaith_edges AS e ("orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId",
        "targetEntityTypeTag", "relationshipType", metadata, "createdAt", "createdBy")
    SELECT DISTINCT ON (src, tgt) $1, src, CASE WHEN $9 THEN $7 ELSE $8 END, tgt, CASE WHEN $9 THEN $8 ELSE $7 END, $10,
        jsonb_build_object('relationshipKey', $11, 'source', $2 || '_direct') || (staged - '_rel'), now(), 'sync:' || $2
    FROM ok ORDER BY src, tgt, length(external_id) DESC, external_id DESC
    ON CONFLICT ("orgId", "sourceEntityId", "targetEntityId", "relationshipType") DO UPDATE
        SET metadata = e.metadata || excluded.metadata, "deletedAt" = NULL, "deletedBy" = NULL, "updatedAt" = now(),
            "updatedBy" = excluded."createdBy"
        WHERE e."deletedAt" IS NOT NULL OR e.metadata IS DISTINCT FROM e.metadata || excluded.metadata
), l AS (
    UPDATE sync.external_link l SET state = 'linked', entity_type = 'edge', entity_id = ok.src || '|' || ok.tgt || '|' || $10,
        last_processed_at = now(), rev = l.rev + 1
    FROM ok WHERE l.org_id = $1 AND l.adapter = $2 AND l.external_type = $3 AND l.external_id = ok.external_id
    RETURNING l.id
), b AS (
    UPDATE sync.base b SET seen = b.staged, staged = NULL, write_xid = pg_current_xact_id()
    FROM l WHERE b.org_id = $1 AND b.link_id = l.id
)
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, state, reason, waits_for, due_at)
SELECT $1, $2, 'in', $3, x.external_id,
    CASE WHEN 'ambiguous' IN (coalesce(astate, ''), coalesce(pstate, ''))
        OR ($12 = 'o' AND 'unmatched' IN (coalesce(astate, ''), coalesce(pstate, ''))) THEN 'parked' ELSE 'waiting' END,
    'edge', CASE WHEN astate IS DISTINCT FROM 'linked' THEN aref ELSE pref END, now() + interval '10 minutes'
FROM x WHERE (astate IS DISTINCT FROM 'linked' OR pstate IS DISTINCT FROM 'linked')
    AND coalesce(astate, '') NOT IN ('deleted', 'merged_into') AND coalesce(pstate, '') NOT IN ('deleted', 'merged_into')
    AND aref IS NOT NULL AND pref IS NOT NULL
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET gen = w.gen + 1, waits_for = excluded.waits_for
