-- params: 13
-- Rows of OpenFaith's tables were written: what is owed to the other systems for them. In one batch any number of organizations.
-- A row per written record: $1 org, $2 entity tag ("edge": the edge itself), $3 id (of an edge its key), $4 key of the edge whose end
-- it is (null: it was written itself), $5 transaction ("0": unknown), $6 system, $7 timeline of the log that says so.
-- What adapters can write, a row per type: $8 adapter, $9 external type, $10 kind, $11 tag (kind edge: relationship type), $12 takes
-- anything at all, $13 takes new ones.
-- Skipped per connection: our own writes for that adapter (base.write_xid). Unlinked records: where the mode makes new ones there
-- and the type's match has ended. Edges that are records there are rows of their own, others are part of both their ends.
-- What is parked stays so, unless it is for another record that is stuck: what has changed may go without that one.
-- Links are found by entity first: their adapter is compared behind OFFSET 0, or on a young table the planner takes (org, adapter)
-- for one row and reads the whole organization.
-- Gives ('k', org, adapter) for connections with something to do, ('u', org, adapter, external type, tag, id, xid) for unlinked
-- records that a person may want to send.
WITH me AS MATERIALIZED (
    SELECT system_identifier::text AS sys, ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint AS tl
    FROM pg_control_system()
), x AS MATERIALIZED (
    SELECT i.org, i.tag, i.id, i.edge, CASE WHEN i.sys = me.sys AND i.tl = me.tl AND i.xid <> '0' THEN i.xid::xid8 END AS xid
    FROM me, unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
        AS i (org, tag, id, edge, xid, sys, tl)
), caps AS MATERIALIZED (
    SELECT * FROM unnest($8::text[], $9::text[], $10::text[], $11::text[], $12::boolean[], $13::boolean[])
        AS k (adapter, type, kind, tag, takes, makes)
), e AS MATERIALIZED (
    SELECT x.*, c.adapter, c.mode, c.types, l.external_type
    FROM x
    CROSS JOIN LATERAL (SELECT c.adapter, c.mode, c.types FROM sync.connection c
        WHERE c.org_id = x.org AND c.state <> 'disconnected' OFFSET 0) c
    LEFT JOIN LATERAL (SELECT l.external_type, l.id FROM (SELECT * FROM sync.external_link l WHERE l.entity_id = x.id
        AND l.org_id = x.org AND l.kind = 'entity' AND l.state = 'linked' OFFSET 0) l WHERE l.adapter = c.adapter LIMIT 1) l ON true
    WHERE x.tag <> 'edge'
        AND (x.edge IS NULL OR NOT EXISTS (SELECT FROM caps k WHERE k.adapter = c.adapter AND k.kind = 'edge' AND k.takes
            AND k.tag = split_part(x.edge, '|', 3) AND k.type = ANY (c.types)))
        /* one after the other, and most are our own by the first: a first sync says so of every row that it has made */
        AND CASE WHEN x.xid IS NULL THEN true
            WHEN EXISTS (SELECT FROM sync.base b WHERE b.org_id = x.org AND b.link_id = l.id AND b.write_xid = x.xid) THEN false
            WHEN x.edge IS NOT NULL AND EXISTS (
                SELECT FROM unnest(ARRAY[split_part(x.edge, '|', 1), split_part(x.edge, '|', 2)]) AS o (id)
                CROSS JOIN LATERAL (SELECT v.id FROM (SELECT * FROM sync.external_link v WHERE v.entity_id = o.id AND v.org_id = x.org
                    AND v.kind = 'entity' AND v.state = 'linked' OFFSET 0) v WHERE v.adapter = c.adapter LIMIT 1) v
                CROSS JOIN LATERAL (SELECT b.write_xid FROM sync.base b WHERE b.org_id = x.org AND b.link_id = v.id LIMIT 1) b
                WHERE b.write_xid = x.xid) THEN false
            ELSE NOT EXISTS (SELECT FROM sync.external_link v
                CROSS JOIN LATERAL (SELECT b.write_xid FROM sync.base b WHERE b.org_id = x.org AND b.link_id = v.id LIMIT 1) b
                WHERE v.org_id = x.org AND v.adapter = c.adapter AND v.entity_id = x.id AND v.kind = 'value' AND b.write_xid = x.xid)
            END
), g AS MATERIALIZED (
    SELECT x.*, c.adapter, k.type
    FROM x
    CROSS JOIN LATERAL (SELECT c.adapter, c.mode, c.types FROM sync.connection c
        WHERE c.org_id = x.org AND c.state <> 'disconnected' OFFSET 0) c
    JOIN caps k ON k.adapter = c.adapter AND k.kind = 'edge' AND k.takes AND k.tag = split_part(x.id, '|', 3) AND k.type = ANY (c.types)
    CROSS JOIN LATERAL (SELECT array_agg(b.write_xid) AS own, count(*) FILTER (WHERE v.kind = 'entity') AS ends,
            bool_or(v.kind = 'edge') AS is_linked
        FROM (SELECT v.id, v.kind FROM unnest(ARRAY[split_part(x.id, '|', 1), split_part(x.id, '|', 2)]) AS o (id)
            CROSS JOIN LATERAL (SELECT v.id, v.kind FROM (SELECT * FROM sync.external_link v WHERE v.entity_id = o.id
                AND v.org_id = x.org AND v.kind = 'entity' AND v.state = 'linked' OFFSET 0) v WHERE v.adapter = c.adapter LIMIT 1) v
            UNION ALL
            SELECT v.id, v.kind FROM sync.external_link v WHERE v.org_id = x.org AND v.adapter = c.adapter
                AND v.entity_id = x.id AND v.kind = 'edge') v
        LEFT JOIN LATERAL (SELECT b.write_xid FROM sync.base b WHERE b.org_id = x.org AND b.link_id = v.id LIMIT 1) b ON true) o
    WHERE x.tag = 'edge' AND (x.xid IS NULL OR o.own IS NULL OR NOT coalesce(x.xid = ANY (o.own), false))
        AND (c.mode <> 'chms' OR o.is_linked OR o.ends >= 2)
), n AS MATERIALIZED (
    SELECT e.org, e.adapter, e.mode, k.type, e.tag, e.id, e.xid
    FROM e JOIN caps k ON k.adapter = e.adapter AND k.kind = 'entity' AND k.tag = e.tag AND k.makes AND k.type = ANY (e.types)
    CROSS JOIN LATERAL (SELECT s.out_open FROM sync.status s WHERE s.org_id = e.org AND s.adapter = e.adapter
        AND s.external_type = k.type LIMIT 1) s
    WHERE e.external_type IS NULL AND s.out_open
        AND NOT EXISTS (SELECT FROM (SELECT * FROM sync.external_link t WHERE t.entity_id = e.id AND t.org_id = e.org
            AND t.kind = 'entity' AND t.state IN ('unlinked', 'merged_into', 'deleted') OFFSET 0) t WHERE t.adapter = e.adapter
            AND NOT t.link_metadata ? 'deletedHere')
), d AS (
    SELECT DISTINCT ON (org, adapter, record_type, id) org, adapter, record_type, id, xid
    FROM (
        SELECT e.org, e.adapter, e.tag AS record_type, e.id, e.xid FROM e
        WHERE EXISTS (SELECT FROM caps k WHERE k.adapter = e.adapter AND k.takes AND k.type = ANY (e.types)
            AND ((k.kind = 'entity' AND k.type = e.external_type)
                OR (k.kind = 'value' AND k.tag = e.tag AND e.external_type IS NOT NULL)))
        UNION ALL
        SELECT n.org, n.adapter, n.tag, n.id, n.xid FROM n WHERE n.mode <> 'chms'
        UNION ALL
        SELECT g.org, g.adapter, g.type, g.id, g.xid FROM g
    ) u
    ORDER BY org, adapter, record_type, id, xid DESC NULLS LAST
), w AS (
    INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason, xid)
    SELECT d.org, d.adapter, 'out', d.record_type, d.id, 'change', d.xid FROM d
    ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
        SET gen = w.gen + 1, xid = greatest(w.xid, excluded.xid),
            state = CASE WHEN w.state = 'dead' OR (w.state = 'parked' AND w.waits_for LIKE 'out:%') THEN 'ready' ELSE w.state END,
            due_at = CASE WHEN w.state = 'dead' OR (w.state = 'parked' AND w.waits_for LIKE 'out:%') THEN now() ELSE w.due_at END,
            attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
    RETURNING w.org_id, w.adapter
)
SELECT 'k', k.org_id, k.adapter, NULL::text, NULL::text, NULL::text, NULL::text FROM (SELECT DISTINCT org_id, adapter FROM w) k
UNION ALL
SELECT 'u', n.org, n.adapter, n.type, n.tag, n.id, max(n.xid::text::numeric)::text FROM n WHERE n.mode = 'chms'
GROUP BY n.org, n.adapter, n.type, n.tag, n.id
