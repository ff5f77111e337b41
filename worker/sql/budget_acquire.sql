-- params: 4
-- Takes the leases that are free, over, or ours already. $1 orgs, $2 adapters, $3 owner, $4 lease in ms. Gives org, adapter,
-- fence, was ours (the account in memory goes on), was handed over cleanly, ms for which permits are busy (comma), limit,
-- period in s. Locks the rows.
WITH old AS (
    SELECT b.org_id, b.adapter, b.owner, b.handover, b.limit_n, b.period_s
    FROM sync.budget b
    JOIN unnest($1::text[], $2::text[]) AS w (org_id, adapter) ON b.org_id = w.org_id AND b.adapter = w.adapter
    WHERE b.owner IS NULL OR b.owner = $3 OR b.lease_until < now()
    ORDER BY b.org_id, b.adapter
    FOR UPDATE OF b
), taken AS (
    UPDATE sync.budget b
    SET owner = $3, fence = b.fence + CASE WHEN old.owner = $3 THEN 0 ELSE 1 END, handover = NULL,
        lease_until = now() + $4 * interval '1 millisecond', updated_at = now()
    FROM old
    WHERE b.org_id = old.org_id AND b.adapter = old.adapter
    RETURNING b.org_id, b.adapter, b.fence
)
SELECT t.org_id, t.adapter, t.fence, old.owner IS NOT DISTINCT FROM $3, old.owner IS NULL,
       (SELECT string_agg(greatest(0, h.v::bigint - (extract(epoch FROM clock_timestamp()) * 1000)::bigint)::text, ',')
        FROM jsonb_array_elements_text(CASE WHEN jsonb_typeof(old.handover) = 'array' THEN old.handover END) AS h (v)),
       old.limit_n, old.period_s
FROM taken t JOIN old ON old.org_id = t.org_id AND old.adapter = t.adapter
