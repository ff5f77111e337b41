-- params: 3
-- Records that are edges of the removed entity (memberships): they went to the kept one, or are no more; no time of theirs says so.
-- $1 org, $2 adapter, $3 removed entity.
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason)
SELECT DISTINCT $1, $2, 'in', v.external_type, v.external_id, 'merged' FROM (
    SELECT "sourceEntityId" AS s, "targetEntityId" AS t, "relationshipType" AS r FROM public.openfaith_edges
    WHERE "orgId" = $1 AND "sourceEntityId" = $3 AND "deletedAt" IS NULL
    UNION ALL
    SELECT "sourceEntityId", "targetEntityId", "relationshipType" FROM public.openfaith_edges
    WHERE "orgId" = $1 AND "targetEntityId" = $3 AND "deletedAt" IS NULL) g
CROSS JOIN LATERAL (SELECT v.external_type, v.external_id FROM sync.external_link v WHERE v.org_id = $1 AND v.adapter = $2
    AND v.entity_id = g.s || '|' || g.t || '|' || g.r AND v.kind = 'edge' AND v.state = 'linked' OFFSET 0) v
ORDER BY 4, 5
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET gen = w.gen + 1,
    reason = CASE WHEN w.state IN ('ready', 'leased') AND w.reason NOT IN ('edge', 'value') THEN w.reason ELSE excluded.reason END,
    state = CASE WHEN w.state IN ('ready', 'leased') THEN w.state ELSE 'ready' END,
    due_at = CASE WHEN w.state IN ('ready', 'leased') THEN w.due_at ELSE now() END,
    attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
