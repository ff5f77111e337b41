-- params: 4
-- Takes rows of the way out that are due, or whose lease has run out, and whose transaction can be seen by now. $1 org, $2 adapter,
-- $3 lease ms, $4 at most. Locks rows, skips locked ones. Gives type, id, fence, attempts, reason, priority, intent, ms for which what
-- an earlier try made may still be hidden, for how many ms it has been owed, what an earlier try was sending. The states are named
-- twice: in that form the planner knows them for those of the index work_due_out, and else it reads and sorts all rows for each few.
WITH due AS (
    SELECT record_type, record_id FROM sync.work
    WHERE org_id = $1 AND adapter = $2 AND direction = 'out' AND state IN ('ready', 'leased', 'waiting')
        AND ((state IN ('ready', 'waiting') AND due_at <= now()) OR (state = 'leased' AND lease_until < now()))
        AND (xid IS NULL OR pg_visible_in_snapshot(xid, pg_current_snapshot()))
    ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
), w AS (
    INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id)
    SELECT $1, $2, 'out', due.record_type, due.record_id FROM due
    ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET state = 'leased', fence = w.fence + 1,
        taken_gen = w.gen, lease_until = now() + $3 * interval '1 millisecond'
    RETURNING w.*
)
SELECT w.record_type, w.record_id, w.fence, w.attempts, w.reason, w.priority, w.intent,
    greatest((w.intent ->> 'not_before')::bigint - (extract(epoch FROM now()) * 1000)::bigint, 0),
    greatest((extract(epoch FROM now() - w.first_at) * 1000)::bigint, 0), w.sending
FROM w
