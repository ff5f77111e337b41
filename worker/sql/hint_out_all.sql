-- params: 4
-- All of a table's rows of an organization are gone at once (TRUNCATE): everything of it that is linked is owed a look.
-- $1 org, $2 entity tag ("edge": edges are part of every record); what can be written: $3 adapters, $4 external types.
WITH l AS (
    SELECT DISTINCT l.adapter, CASE l.kind WHEN 'entity' THEN l.entity_type ELSE l.external_type END AS record_type, l.entity_id
    FROM sync.connection c
    JOIN sync.external_link l ON l.org_id = c.org_id AND l.adapter = c.adapter
    JOIN unnest($3::text[], $4::text[]) AS k (adapter, type) ON k.adapter = l.adapter AND k.type = l.external_type
    WHERE c.org_id = $1 AND c.state <> 'disconnected' AND l.org_id = $1 AND l.state = 'linked' AND l.external_type = ANY (c.types)
        AND l.entity_id IS NOT NULL AND ((l.kind = 'entity' AND $2 IN ('edge', l.entity_type)) OR (l.kind = 'edge' AND $2 = 'edge'))
), w AS (
    INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason)
    SELECT $1, l.adapter, 'out', l.record_type, l.entity_id, 'change' FROM l ORDER BY 2, 4, 5
    ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE
        SET gen = w.gen + 1,
            state = CASE WHEN w.state = 'dead' THEN 'ready' ELSE w.state END,
            due_at = CASE WHEN w.state = 'dead' THEN now() ELSE w.due_at END,
            attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
    RETURNING w.org_id, w.adapter
)
SELECT DISTINCT 'k', org_id, adapter, NULL::text, NULL::text, NULL::text, NULL::text FROM w
