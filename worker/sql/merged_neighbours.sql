-- params: 3
-- The kept record is not linked here yet, so the edges of the removed one cannot move: who had one is read again, and says with whom
-- it is tied now. $1 org, $2 adapter, $3 removed entity.
INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason)
SELECT DISTINCT $1, $2, 'in', l.external_type, l.external_id, 'merged'
FROM public.openfaith_edges g JOIN sync.external_link l ON l.org_id = $1 AND l.adapter = $2 AND l.kind = 'entity'
    AND l.state = 'linked' AND l.entity_id = CASE WHEN g."sourceEntityId" = $3 THEN g."targetEntityId" ELSE g."sourceEntityId" END
WHERE g."orgId" = $1 AND (g."sourceEntityId" = $3 OR g."targetEntityId" = $3) AND g."deletedAt" IS NULL
ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET gen = w.gen + 1,
    reason = CASE WHEN w.state IN ('ready', 'leased') AND w.reason NOT IN ('edge', 'value') THEN w.reason ELSE excluded.reason END,
    state = CASE WHEN w.state IN ('ready', 'leased') THEN w.state ELSE 'ready' END,
    due_at = CASE WHEN w.state IN ('ready', 'leased') THEN w.due_at ELSE now() END,
    attempts = CASE WHEN w.state = 'dead' THEN 0 ELSE w.attempts END
